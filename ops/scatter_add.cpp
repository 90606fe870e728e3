// Updates added to the rows of a table that indices name: the gradient of a look-up, and an op of its own.
#include <gradus/ops/add_slices.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>
#include <gradus/ops/spmm.h>

#include <algorithm>
#include <functional>
#include <type_traits>

namespace gradus {

namespace {

// Inputs: indices and for a gradient the table, which lend their shapes; between them the updates, and the indices'
// indicator. Updates that are the same along the last `shared` axes of the indices are given once, with size 1 there.
// Where a plan gives several of them one row set, the fourth input is the indicator of the indices of all: the result
// holds the rows that any of these name, and its own indices are those from number `first` on.
class ScatterAdd final : public Op {
 public:
  explicit ScatterAdd(const Shape& shape, int shared = 0, std::int64_t first = -1)
      : shape_(shape), shared_(shared), first_(first) {}

  std::string_view name() const override { return "scatter_add"; }
  Attributes attributes() const override {
    if (is_one_of_several()) return {{"shared", shared_}, {"first", first_}};
    return shared_ == 0 ? Attributes() : Attributes{{"shared", shared_}};
  }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in, 1, "updates");
    if (in[1].dtype == boolean)
      fail<TypeError>("scatter_add: updates is {}; numbers can be summed, so cast(updates, int64) first", in.dtype(1));
    const Shape& shape = in.count() == 4 && !is_one_of_several() ? in[3].shape : shape_;
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
  Traits traits() const override {
    return is_one_of_several() ? Traits{.reads = 0b1110U, .rows_from = 3} : Traits{.reads = 0b110U, .rows_from = 2};
  }
  std::string_view no_gradient(int i) const override { return i == 1 ? "" : "indices are integers"; }
  // d scatter_add(i, u) = the rows of dy at i
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return gather(dy, y.input(0)); }
  Expr simplified(const Expr& y, const DraftFacts& facts) const override;
  Expr reassociated(const Expr& y, const DraftFacts& facts) const override;

  int shared() const { return shared_; }
  bool is_one_of_several() const { return first_ >= 0; }

  Tiles tiles(std::span<const Type> in, const Type& y) const override {
    if (in[0].shape.rank() == 0 || !is_floating(y.dtype)) return {};
    return {Tiles::Gives::accumulated, 0b110, shared_ > 0 ? in[1].shape[0] : in[2].shape[0]};
  }
  void prepare_sum(Call& call) const override { call.set_index(of_all(call).pattern->active_columns()); }

  void compute(Call& call) const override {
    if (!call.adds) prepare_sum(call);
    const Value& indicator = call.in(2);
    const std::int64_t width = call.out().row_size();
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      if constexpr (std::is_floating_point_v<T>)
        if (shared_ == 0 && !is_one_of_several())
          return csr_transposed_times_dense(call, indicator, call.in<T>(1), width, call.out<T>());
      const Index* slot = of_all(call).pattern->active().slot.data() + first() + indicator.row_start()[0];
      if (!call.adds) std::fill_n(call.out<T>(), call.out().stored, T{});
      if (indicator.stored > 0)
        add_slices<T, Index>(width)(call.in<T>(1), slot, indicator.stored, shared(call.in(0)), width, call.out<T>());
    });
  }

  void launch(DeviceCall& call) const override {
    Value indicator = call.in(2);
    call.set_index(of_all(call).pattern->active_columns());
    const std::int64_t width = call.out().row_size(), rows = call.out().index->count();
    const std::int64_t each = shared(call.in(0));
    if (rows * width == 0) return;
    if (is_floating(call.out().type.dtype) && !is_one_of_several()) {
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
    const DevicePattern::ByColumn by_column = call.pattern(of_all(call)).by_column();
    call.launch({"scatter_add", text, using_type(call.out().type.dtype)}, grid_for(rows * width), call.in(1).data,
                call.out().data, by_column.start, by_column.row, rows, width, each, first(), indicator.stored);
  }

 private:
  // A thread for each value of a row of the result, which adds in the order of the indices; of those that are its own.
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* updates, T* y, const gr_int64* start, const int* order, gr_int64 rows,
                                gr_int64 width, gr_int64 shared, gr_int64 first, gr_int64 count) {
  for (gr_int64 i = gr_first(); i < rows * width; i += gr_step()) {
    const gr_int64 row = i / width, column = i % width;
    typename gr_Wide<T>::type sum = 0;
    for (gr_int64 j = start[row]; j < start[row + 1]; ++j) {
      const gr_int64 own = order[j] - first;
      if (own >= 0 && own < count)
        sum = gr_add(sum, typename gr_Wide<T>::type(updates[own / shared * width + column]));
    }
    y[i] = T(sum);
  }
}
)cuda";

  std::int64_t first() const { return std::max<std::int64_t>(0, first_); }
  // The indicator whose active columns the result holds.
  template <class AnyCall>  // Call or DeviceCall
  const Value& of_all(const AnyCall& call) const {
    return call.in(is_one_of_several() ? 3 : 2);
  }

  // For how many indices an update is.
  std::int64_t shared(const Value& indices) const {
    const Shape& shape = indices.shape();
    return shape.slice(shape.rank() - shared_, shape.rank()).size();
  }

  Shape shape_;
  int shared_;
  std::int64_t first_;
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
  if (shared_ > 0 || is_one_of_several() || !inner.valid() || inner.layout() != Layout::dense) return {};
  const int shared = axes_shared(inner, y.input(0), y.rank() - 1);
  if (shared == 0) return {};
  const Expr sum = scatter_shared(y, inner, shared);
  return sum.type() == y.type() ? sum : Expr();
}

// scatter(i, c V[i]) = scatter(i, c) V for a c that is the same along the last axes of i: the updates c V[i] are
// written down nowhere. Likewise each term of a sum of such, where there is no other.
Expr ScatterAdd::reassociated(const Expr& y, const DraftFacts&) const {
  if (is_one_of_several()) return {};
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

const ScatterAdd& scatter_of(const Expr& e) { return static_cast<const ScatterAdd&>(e.op()); }

// Which input of a product of rows is gathered from a table; or -1. Where the other one holds more rows, of zeros, it
// may too: they are zeros all the same.
int gathered_factor(const Expr& e) {
  if (!is_op(e, "multiply")) return -1;
  for (const int i : {0, 1}) {
    const Expr rows = e.input(i);
    if (e.input(1 - i).layout() == Layout::rows && is_op(rows, "with_zeros") && is_op(rows.input(0), "part_of") &&
        rows.input(0).input(1).layout() == Layout::csr)
      return i;
  }
  return -1;
}

// The scatter_adds of which e is computed element by element, each of which, and what leads from them to e, nobody else
// reads; false where it is computed of other rows of tables too, but for rows that they are multiplied by. At most
// `nodes` are looked at: of long sums each term must not be as often as there are terms.
bool collect_terms(const Expr& e, const DraftFacts& facts, int& nodes, std::vector<Expr>& terms) {
  if (--nodes < 0) return false;
  if (is_op(e, "scatter_add")) {
    terms.push_back(e);
    return is_op(e.input(2), "indicator");
  }
  if (e.kind() != Kind::op || e.layout() != Layout::rows || !is_elementwise(e)) return false;
  const int factor = gathered_factor(e);
  for (int i = 0; i < e.arity(); ++i) {
    const Expr input = e.input(i);
    if (input.layout() == Layout::dense || i == factor) continue;
    const bool is_own = input.layout() == Layout::rows && input.shape()[0] == e.shape()[0] && facts.readers(input) == 1;
    if (!is_own || !collect_terms(input, facts, nodes, terms)) return false;
  }
  return true;
}

// e of others in their places, which hold the active columns of `all`.
Expr with_terms(const Expr& e, const Expr& all, const std::function<Expr(const Expr& term)>& other) {
  if (is_op(e, "scatter_add")) return other(e);
  const int factor = gathered_factor(e);
  std::vector<Expr> inputs;
  for (int i = 0; i < e.arity(); ++i) {
    const Expr input = e.input(i);
    inputs.push_back(i == factor                       ? with_zeros(active_part(input.input(0).input(0), all))
                     : input.layout() == Layout::dense ? input
                                                       : with_terms(input, all, other));
  }
  return e.graph().copy(e, inputs);
}

}  // namespace

Expr of_one_row_set(const Expr& y, const DraftFacts& facts) {
  int nodes = 48;
  std::vector<Expr> terms;
  if (y.layout() != Layout::rows || !collect_terms(y, facts, nodes, terms)) return {};
  const auto by_age = [](const Expr& a, const Expr& b) { return a.id() < b.id(); };
  std::vector<Expr> named;  // the indicators, each once, in an order that is the same for other tables
  for (const Expr& term : terms) named.push_back(term.input(2));
  std::sort(named.begin(), named.end(), by_age);
  named.erase(std::unique(named.begin(), named.end(), same_node), named.end());
  const bool is_done = std::all_of(terms.begin(), terms.end(), [&](const Expr& term) {
    return scatter_of(term).is_one_of_several() && same_node(term.input(3), terms.front().input(3));
  });
  if (named.size() == 1 || is_done) return {};
  const DType dtype = named.front().input(0).dtype();
  const bool same =
      std::all_of(named.begin(), named.end(), [&](const Expr& of) { return of.input(0).dtype() == dtype; });
  std::vector<Expr> indices;
  std::vector<std::int64_t> first{0};
  for (const Expr& of : named) {
    indices.push_back(reshape(same ? of.input(0) : cast(of.input(0), int64), {-1}));
    first.push_back(first.back() + of.shape()[0]);
  }
  if (first.back() > max_sparse_dimension) return {};
  const Expr all = indicator("gather", concat(indices, 0), y.shape()[0], y.dtype());
  const Expr sum = with_terms(y, all, [&](const Expr& term) {
    const auto place = std::lower_bound(named.begin(), named.end(), term.input(2), by_age) - named.begin();
    return apply(
        std::make_shared<ScatterAdd>(term.shape(), scatter_of(term).shared(), first[static_cast<std::size_t>(place)]),
        {term.input(0), term.input(1), term.input(2), all});
  });
  return sum.type() == y.type() ? sum : Expr();
}

Expr scattered_gradient(const Expr& indices, const Expr& dy, const Expr& table) {
  return apply(std::make_shared<ScatterAdd>(Shape()), {indices, dy, indicator(indices, table), table});
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
