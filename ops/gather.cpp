// Rows of a table by index, and what leads back: gather, and scatter_add, its gradient. The rows that an index names
// are the active columns of its indicator matrix: so that a table read by index, and one multiplied by a csr matrix,
// are updated by the same steps.
#include <gradus/core/tensor/table_rows.h>
#include <gradus/ops/add_slices.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/device_rows.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>
#include <gradus/ops/spmm.h>

#include <algorithm>
#include <type_traits>

namespace gradus {

namespace {

// [i, ...] and [p, q, ...] to [i, ..., q, ...]
Shape gathered_shape(std::string_view op, const Shape& x, const Shape& indices) {
  if (indices.rank() + x.rank() - 1 > Shape::max_rank)
    fail<TypeError>("{}: indices {} of x {} give more than {} dimensions", op, to_string(indices), to_string(x),
                    Shape::max_rank);
  Shape shape = indices;
  for (int axis = 1; axis < x.rank(); ++axis) shape = shape.insert(shape.rank(), x[axis]);
  return shape;
}

std::size_t row_bytes(const Value& x) { return static_cast<std::size_t>(x.row_size()) * size_of(x.type.dtype); }

// The rows of x, a table, by index. Where a plan knows only the rows that the indices name, x is gathered rows, and the
// indicator of the indices is a third input: it says at which of them each index is.
class Gather final : public Op {
 public:
  std::string_view name() const override { return "gather"; }

  Type infer(const OpInputs& in) const override {
    if (in.count() == 2) require_dense(name(), in);
    require_indices(name(), in, 1);
    if (in[0].shape.rank() == 0) fail<TypeError>("gather: x is {}; a scalar has no rows", in.shape(0));
    return {in[0].dtype, gathered_shape(name(), in[0].shape, in[1].shape), Layout::dense};
  }
  std::string_view no_gradient(int i) const override { return i == 0 ? "" : "indices are integers"; }
  Expr gradient(const Expr& y, const Expr& dy, int) const override;
  Expr simplified(const Expr& y, const DraftFacts& facts) const override;

  int rows_named_by(std::span<const Type>, int i) const override { return i == 0 ? 1 : -1; }
  Tiles tiles(std::span<const Type> in, const Type& y) const override {
    if (in.size() > 2 || in[1].shape.rank() == 0) return {};
    return {Tiles::Gives::rows, 2, y.shape[0]};
  }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    const std::size_t bytes = row_bytes(x);
    const std::int64_t count = call.in(1).stored;
    const auto gather = [&]<class I>(const I* from) {
      call.workers().for_each(count, rows_at_a_time(bytes), [&](std::int64_t first, std::int64_t last) {
        const auto begin = static_cast<std::size_t>(first);
        gather_rows(x.data, std::span(from + begin, static_cast<std::size_t>(last - first)), bytes,
                    call.out().data + begin * bytes, static_cast<std::size_t>(count - last));
      });
    };
    if (call.arity() == 3) return gather(call.in(2).pattern->active().slot.data());
    check_indices(name(), call, 1, call.in(1), x.shape()[0]);
    by_index_type(call.in(1), gather);
  }

  // The indices are checked on the host, where an error can be told; once, as long as they stay the same.
  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    const Value& indices = call.in(1);
    if (call.arity() == 3)
      return gather_rows(call, x.data, call.pattern(call.in(2)).slot(), indices.stored, row_bytes(x), call.out().data);
    if (!call.unchanged(1)) check_indices(name(), call, 1, on_host(call, 1), x.shape()[0]);
    by_index_type(indices, [&](const auto* index) {
      gather_rows(call, x.data, index, indices.stored, row_bytes(x), call.out().data);
    });
  }
};

// The indicator matrix of indices [i, ...]: csr [i * ..., p], a row of one 1 for each index, in its column. Of a second
// input, a table, it takes p and the dtype.
class Indicator final : public Op {
 public:
  Indicator(std::string_view reader, std::int64_t columns, DType dtype)
      : reader_(reader), columns_(columns), dtype_(dtype) {}
  std::string_view name() const override { return "indicator"; }
  Attributes attributes() const override { return columns_ == any ? Attributes() : Attributes{{"columns", columns_}}; }

  Type infer(const OpInputs& in) const override {
    require_indices(reader_, in, 0);
    const std::int64_t rows = in[0].shape.known() ? in[0].shape.size() : any;
    const std::int64_t columns = in.count() == 2 ? in[1].shape[0] : columns_;
    if (std::max(rows, columns) > max_sparse_dimension)
      fail<TypeError>("{}: {} indices into {} rows; at most {} of each are expected", reader_, rows, columns,
                      max_sparse_dimension);
    return {in.count() == 2 ? in[1].dtype : dtype_, {rows, columns}, Layout::csr};
  }
  Traits traits() const override { return {.reads = 0b1U, .gives_ones = true}; }
  int rows_named_by(std::span<const Type>, int i) const override { return i == 1 ? 0 : -1; }
  std::string_view no_gradient(int) const override { return "indices are integers"; }

  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 1, y.shape[0]}; }

  // Of tables with as many rows it is the same one.
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    if (y.arity() == 1) return {};
    return apply(std::make_shared<Indicator>(reader_, y.shape()[1], y.dtype()), {y.input(0)});
  }

  void compute(Call& call) const override {
    const std::shared_ptr<CsrPattern> pattern = call.new_pattern();
    fill(call, call.in(0), *pattern);
    call.set_pattern(pattern);
    call.out().ones = true;
    dispatch_number(call.out().type.dtype,
                    [&]<class T>(TypeTag<T>) { std::fill_n(call.out<T>(), call.out().stored, T{1}); });
  }

  // The pattern is made on the host; once, as long as the indices stay the same.
  void launch(DeviceCall& call) const override {
    call.set_pattern(call.pattern_made_of_numbers(0, [&](std::span<const std::byte> numbers) {
      Value here = call.in(0);
      here.data = const_cast<std::byte*>(numbers.data());  // only read
      auto pattern = std::make_shared<CsrPattern>();
      fill(call, here, *pattern);
      return std::shared_ptr<const CsrPattern>(std::move(pattern));
    }));
    call.out().ones = true;
    const std::int64_t n = call.out().stored;
    if (n > 0) call.launch({"indicator", text, using_type(call.out().type.dtype)}, grid_for(n), call.out().data, n);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(T* y, gr_int64 n) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) y[i] = T(1);
}
)cuda";

  // `indices` are the call's, on the host.
  template <class AnyCall>  // Call or DeviceCall
  void fill(AnyCall& call, const Value& indices, CsrPattern& pattern) const {
    pattern.columns = call.out().shape()[1];
    check_indices(reader_, call, 0, indices, pattern.columns);
    const std::span<Index> column = pattern.new_rows(indices.stored, 1);
    by_index_type(indices, [&](const auto* index) {
      std::transform(index, index + indices.stored, column.begin(), [](auto i) { return static_cast<Index>(i); });
    });
  }

  std::string_view reader_;  // whose indices they are, for messages
  std::int64_t columns_;
  DType dtype_;
};

// Inputs: indices and for a gradient the table, which lend their shapes; between them the updates, and the indices'
// indicator. Updates that are the same along the last `shared` axes of the indices are given once, with size 1 there.
class ScatterAdd final : public Op {
 public:
  explicit ScatterAdd(const Shape& shape, int shared = 0) : shape_(shape), shared_(shared) {}

  std::string_view name() const override { return "scatter_add"; }
  Attributes attributes() const override { return shared_ == 0 ? Attributes() : Attributes{{"shared", shared_}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in, 1, "updates");
    if (in[1].dtype == boolean)
      fail<TypeError>("scatter_add: updates is {}; numbers can be summed, so cast(updates, int64) first", in.dtype(1));
    const Shape& shape = in.count() == 4 ? in[3].shape : shape_;
    Shape expected = gathered_shape(name(), shape, in[0].shape);
    for (int axis = in[0].shape.rank() - shared_; axis < in[0].shape.rank(); ++axis) expected = expected.with(axis, 1);
    const auto agree = [](std::int64_t a, std::int64_t b) { return a == b || a == any || b == any; };
    if (!std::equal(in[1].shape.begin(), in[1].shape.end(), expected.begin(), expected.end(), agree))
      fail<TypeError>("scatter_add: updates is {}; with indices {} and shape {} it must be {}", in.shape(1),
                      in.shape(0), to_string(shape), to_string(expected));
    Shape result = shape;
    for (int axis = 1; axis < shape.rank(); ++axis)
      if (shape[axis] == any) result = result.with(axis, in[1].shape[in[0].shape.rank() + axis - 1]);
    return {in[1].dtype, result, Layout::rows};
  }
  Traits traits() const override { return {.reads = 0b110U, .rows_from = 2}; }
  std::string_view no_gradient(int i) const override { return i == 1 ? "" : "indices are integers"; }
  // d scatter_add(i, u) = the rows of dy at i
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return gather(dy, y.input(0)); }
  Expr simplified(const Expr& y, const DraftFacts& facts) const override;
  Expr reassociated(const Expr& y, const DraftFacts& facts) const override;

  Tiles tiles(std::span<const Type> in, const Type& y) const override {
    if (in[0].shape.rank() == 0 || !is_floating(y.dtype)) return {};
    return {Tiles::Gives::accumulated, 0b110, shared_ > 0 ? in[1].shape[0] : in[2].shape[0]};
  }
  void prepare_sum(Call& call) const override { call.set_index(call.in(2).pattern->active_columns()); }

  void compute(Call& call) const override {
    if (!call.adds) prepare_sum(call);
    const Value& indicator = call.in(2);
    const std::int64_t width = call.out().row_size();
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      if constexpr (std::is_floating_point_v<T>)
        if (shared_ == 0) return csr_transposed_times_dense(call, indicator, call.in<T>(1), width, call.out<T>());
      const Index* slot = indicator.pattern->active().slot.data() + indicator.row_start()[0];
      if (!call.adds) std::fill_n(call.out<T>(), call.out().stored, T{});
      if (indicator.stored > 0)
        add_slices<T, Index>(width)(call.in<T>(1), slot, indicator.stored, shared(call.in(0)), width, call.out<T>());
    });
  }

  void launch(DeviceCall& call) const override {
    Value indicator = call.in(2);
    call.set_index(indicator.pattern->active_columns());
    const std::int64_t width = call.out().row_size(), rows = call.out().index->count();
    const std::int64_t each = shared(call.in(0));
    if (rows * width == 0) return;
    if (is_floating(call.out().type.dtype)) {
      // A row for each update, with as many ones as there are indices for it.
      const std::int64_t given = indicator.stored / each;
      if (each > 1)
        indicator.pattern = call.pattern_made_of(indicator, [&](const CsrPattern& alone) {
          auto together = std::make_shared<CsrPattern>();
          together->columns = alone.columns;
          std::ranges::copy(alone.column, together->new_rows(given, each).begin());
          return std::shared_ptr<const CsrPattern>(std::move(together));
        });
      indicator.type.shape = {given, indicator.type.shape[1]};
      Value updates = call.in(1);
      updates.type.shape = {given, width};
      return csr_transposed_times_dense(call, indicator, updates);
    }
    const DevicePattern::ByColumn by_column = call.pattern(indicator).by_column();
    call.launch({"scatter_add", text, using_type(call.out().type.dtype)}, grid_for(rows * width), call.in(1).data,
                call.out().data, by_column.start, by_column.row, rows, width, each);
  }

 private:
  // A thread for each number of a row of the result, which adds in the order of the indices.
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* updates, T* y, const gr_int64* start, const int* order, gr_int64 rows,
                                gr_int64 width, gr_int64 shared) {
  for (gr_int64 i = gr_first(); i < rows * width; i += gr_step()) {
    const gr_int64 row = i / width, column = i % width;
    T sum = 0;
    for (gr_int64 j = start[row]; j < start[row + 1]; ++j)
      sum = gr_add(sum, updates[order[j] / shared * width + column]);
    y[i] = sum;
  }
}
)cuda";

  // For how many indices an update is.
  std::int64_t shared(const Value& indices) const {
    const Shape& shape = indices.shape();
    return shape.slice(shape.rank() - shared_, shape.rank()).size();
  }

  Shape shape_;
  int shared_;
};

// Along how many of the last axes of `indices` e, updates of rows of so many axes, is given once for several indices; 0
// where it is not, or is no update for them.
int axes_shared(const Expr& e, const Expr& indices, int row_rank) {
  const int rank = indices.rank();
  if (e.rank() != rank + row_rank) return 0;
  int shared = 0;
  while (shared < rank && e.shape()[rank - 1 - shared] == 1) ++shared;
  for (int axis = 0; axis < rank - shared; ++axis)
    if (e.shape()[axis] != indices.shape()[axis]) return 0;
  return indices.shape().slice(rank - shared, rank).size() > 1 ? shared : 0;
}

// The same sum of updates that are given once along `shared` axes. Its rows may be narrower than y's.
Expr scatter_shared(const Expr& y, const Expr& updates, int shared) {
  const Expr indices = y.input(0);
  Shape shape({y.shape()[0]});
  for (int axis = indices.rank(); axis < updates.rank(); ++axis)
    shape = shape.insert(shape.rank(), updates.shape()[axis]);
  return apply(std::make_shared<ScatterAdd>(shape, shared), {indices, updates, y.input(2)});
}

// Updates that were repeated along the last axes of the indices need not be.
Expr ScatterAdd::simplified(const Expr& y, const DraftFacts&) const {
  const Expr inner = repeated(y.input(1));
  if (shared_ > 0 || !inner.valid() || inner.layout() != Layout::dense) return {};
  const int shared = axes_shared(inner, y.input(0), y.rank() - 1);
  if (shared == 0) return {};
  const Expr sum = scatter_shared(y, inner, shared);
  return sum.type() == y.type() ? sum : Expr();
}

// scatter(i, c V[i]) = scatter(i, c) V for a c that is the same along the last axes of i: the updates c V[i] are
// written down nowhere. Likewise each term of a sum of such, where there is no other.
Expr ScatterAdd::reassociated(const Expr& y, const DraftFacts&) const {
  if (shared_ == 1) return product_of_additions(y.input(0), y.input(1), y.input(2), y.shape());
  if (shared_ > 0 || !is_floating(y.dtype())) return {};
  const Expr indices = y.input(0), updates = y.input(1);
  const auto is_looked_up = [&](const Expr& e) {
    return is_op(e, "gather") && e.op().attributes().empty() && e.arity() == 2 && same_node(e.input(1), indices) &&
           e.input(0).type().shape == y.shape();
  };
  const auto shortened = [&](const Expr& term) -> Expr {
    if (const int shared = axes_shared(term, indices, y.rank() - 1); shared > 0) return scatter_shared(y, term, shared);
    for (const int i : {0, 1})
      if (is_op(term, "multiply") && is_looked_up(term.input(1 - i)))
        if (const int shared = axes_shared(term.input(i), indices, y.rank() - 1); shared > 0)
          return scatter_shared(y, term.input(i), shared) * term.input(1 - i).input(0);
    return {};
  };
  Expr sum;
  if (is_op(updates, "multiply")) {
    sum = shortened(updates);
  } else if (is_op(updates, "add") || is_op(updates, "subtract")) {
    const Expr a = shortened(updates.input(0)), b = a.valid() ? shortened(updates.input(1)) : Expr();
    if (b.valid()) sum = is_op(updates, "add") ? a + b : a - b;
  }
  return sum.valid() && sum.type() == y.type() ? sum : Expr();
}

// d gather(x, i) = dx at rows i: each row of dy is added to the row it was read from
Expr Gather::gradient(const Expr& y, const Expr& dy, int) const {
  return apply(std::make_shared<ScatterAdd>(Shape()), {y.input(1), dy, indicator(y.input(1), y.input(0)), y.input(0)});
}

// f(x) at rows i is f of the rows i of x: of a table with more rows than there are indices, only these are computed.
Expr Gather::simplified(const Expr& y, const DraftFacts& facts) const {
  const Expr x = y.input(0), indices = y.input(1);
  if (x.kind() != Kind::op || y.arity() == 3 || !is_floating(x.dtype()) || indices.shape().size() > x.shape()[0])
    return {};
  const Expr of = indicator(indices, x);
  const Expr part = gathered_rows(x, of, facts);
  return part.valid() ? apply(std::make_shared<Gather>(), {part, indices, of}) : Expr();
}

}  // namespace

Expr indicator(const Expr& indices, const Expr& table) {
  return apply(std::make_shared<Indicator>("gather", any, table.dtype()), {indices, table});
}

Expr indicator(std::string_view reader, const Expr& indices, std::int64_t rows, DType dtype) {
  return apply(std::make_shared<Indicator>(reader, rows, dtype), {indices});
}

Expr gather(const Operand& x, const Operand& indices, int axis, int batch_dims) {
  const Expr table = x.expr();
  const bool first = axis == 0 || (table.valid() && resolve_axis("gather", axis, table.rank()) == 0);
  // As TensorFlow has it, negative batch_dims count from the end of the indices' axes.
  int batch = batch_dims;
  if (batch < 0 && table.valid()) batch += indices.in(table.graph(), int32, "gather").rank();
  if (!first || batch != 0) return gather_along(without_rows(x), indices, axis, batch);
  return apply(std::make_shared<Gather>(), {without_rows(x), indices});
}

Expr scatter_add_for(std::string_view reader, const Expr& indices, const Expr& updates, const Shape& shape) {
  return apply(std::make_shared<ScatterAdd>(shape),
               {indices, updates, indicator(reader, indices, shape[0], updates.dtype())});
}

Expr scatter_add(const Operand& indices, const Operand& updates, const Shape& shape) {
  if (shape.rank() == 0) fail<TypeError>("scatter_add: shape is []; a scalar has no rows");
  if (shape[0] == any) fail<TypeError>("scatter_add: shape is {}; its first dimension must be known", to_string(shape));
  const bool has_graph = indices.expr().valid() || updates.expr().valid();
  if (!has_graph) require_expr("scatter_add", indices, "indices");
  Graph& graph = (indices.expr().valid() ? indices : updates).expr().graph();
  const Graph::Pin pin = graph.pin(indices.where());
  return scatter_add_for("scatter_add", indices.in(graph, int64, "scatter_add"),
                         updates.in(graph, float32, "scatter_add"), shape);
}

}  // namespace gradus
