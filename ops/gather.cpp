// Rows of a table by index, and what leads back: gather, and scatter_add, its gradient. The rows that an index names
// are the active columns of its indicator matrix: so that a table read by index, and one multiplied by a csr matrix,
// are updated by the same steps.
#include <gradus/core/tensor/table_rows.h>
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

// d gather(x, i) = dx at rows i: each row of dy is added to the row it was read from
Expr Gather::gradient(const Expr& y, const Expr& dy, int) const {
  return scattered_gradient(y.input(1), dy, y.input(0));
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

Shape gathered_shape(std::string_view op, const Shape& x, const Shape& indices) {
  if (indices.rank() + x.rank() - 1 > Shape::max_rank)
    fail<TypeError>("{}: indices {} of x {} give more than {} dimensions", op, to_string(indices), to_string(x),
                    Shape::max_rank);
  Shape shape = indices;
  for (int axis = 1; axis < x.rank(); ++axis) shape = shape.insert(shape.rank(), x[axis]);
  return shape;
}

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

}  // namespace gradus
