// sparse_reduce_max and sparse_reduce_min: the extreme of what a csr matrix stores in each row, in each column, or at
// all.
#include <gradus/ops/axes.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/reduce_launch.h>

#include <algorithm>
#include <numeric>

namespace gradus {

namespace {

enum class Over : std::uint8_t { rows, columns, all };  // over axis 0, over axis 1

class SparseExtreme final : public Op {
 public:
  SparseExtreme(Extreme extreme, Over over) : extreme_(extreme), over_(over) {}

  std::string_view name() const override {
    return extreme_ == Extreme::max ? "sparse_reduce_max" : "sparse_reduce_min";
  }
  Attributes attributes() const override {
    return over_ == Over::all ? Attributes() : Attributes{{"axis", over_ == Over::rows ? 0 : 1}};
  }

  // With the axes kept, so that the result broadcasts to x.
  Type infer(const OpInputs& in) const override {
    if (in[0].layout != Layout::csr)
      fail<TypeError>("{}: x is {}; csr is expected ({} takes dense)", name(), in.layout(0), name().substr(7));
    if (in[0].dtype == boolean) fail<TypeError>("{}: x is {}; cast it to a number type first", name(), in.dtype(0));
    Shape shape = in[0].shape;
    if (over_ != Over::columns) shape = shape.with(0, 1);
    if (over_ != Over::rows) shape = shape.with(1, 1);
    return {in[0].dtype, shape, Layout::dense};
  }

  // d max(x) = dx of the greatest; where several are equal each has its share
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    const Expr x = y.input(0);
    const Expr is_extreme = sample(1, x) - cast(not_equal(x, sample(y, x)), x.dtype());
    const Expr equals = over_ == Over::all       ? reduce_sum(is_extreme)
                        : over_ == Over::columns ? reduce_sum(is_extreme, 1, KeepDims::yes)
                                                 : reduce_sum(is_extreme, 0, KeepDims::yes);
    return is_extreme * sample(dy / equals, x);
  }

  void compute(Call& call) const override {
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      extreme_ == Extreme::max ? fold<Max<T>, T>(call) : fold<Min<T>, T>(call);
    });
  }

  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    const std::string_view by = extreme_ == Extreme::max ? "gr_Max" : "gr_Min";
    std::byte* const y = call.out().data;
    fill(call, y, x.type.dtype, call.out().stored, 0);
    if (x.stored == 0) return;
    if (over_ == Over::all) return reduce_dense(call, by, x, Shape({x.stored}), 1);
    DevicePattern& pattern = call.pattern(x);
    if (over_ == Over::columns)
      return fold_segments(call, by, {.start = pattern.row_start(), .segments = x.pattern->rows}, x.type.dtype, x.data,
                           y);
    const DevicePattern::ByColumn columns = pattern.by_column();
    fold_segments(call, by,
                  {.start = columns.start,
                   .segments = x.pattern->active_columns()->count(),
                   .position = columns.position,
                   .place = pattern.active()},
                  x.type.dtype, x.data, y);
  }

 private:
  template <class F, class T>
  void fold(Call& call) const {
    const Value& x = call.in(0);
    const T* from = x.as<T>();
    T* y = call.out<T>();
    std::fill_n(y, call.out().stored, T{0});
    if (over_ == Over::all) {
      if (x.stored > 0) *y = std::accumulate(from, from + x.stored, F::start, F::combine);
    } else if (over_ == Over::columns) {
      const std::vector<std::int64_t>& start = x.pattern->row_start;
      call.workers().for_each(x.pattern->rows, 1024, [&](std::int64_t first, std::int64_t last) {
        for (auto r = static_cast<std::size_t>(first); r < static_cast<std::size_t>(last); ++r)
          if (start[r] < start[r + 1])
            y[r] = std::accumulate(from + start[r], from + start[r + 1], F::start, F::combine);
      });
    } else {
      const CsrPattern::ByColumn& columns = x.pattern->by_column();
      const std::vector<Index>& place = x.pattern->active_columns()->row;
      call.workers().for_each(
          static_cast<std::int64_t>(place.size()), 1024, [&](std::int64_t first, std::int64_t last) {
            for (auto c = static_cast<std::size_t>(first); c < static_cast<std::size_t>(last); ++c) {
              T extreme = F::start;
              for (auto j = static_cast<std::size_t>(columns.start[c]);
                   j < static_cast<std::size_t>(columns.start[c + 1]); ++j)
                extreme = F::combine(extreme, from[columns.position[j]]);
              y[place[c]] = extreme;
            }
          });
    }
  }

  Extreme extreme_;
  Over over_;
};

Expr extreme(Extreme extreme, std::string_view name, const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr expr = require_expr(name, x);
  const std::vector<int> resolved = axes.resolve(name, expr.rank());
  if (resolved.empty())
    fail<TypeError>("{}: no axes are named ({}); 0, 1 or both are right", name, to_string(x.where()));
  const Over over = resolved.size() > 1 ? Over::all : resolved[0] == 0 ? Over::rows : Over::columns;
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr y = apply(std::make_shared<SparseExtreme>(extreme, over), {expr});
  return keep == KeepDims::yes ? y : squeeze(y, Axes(resolved));
}

}  // namespace

Expr sparse_reduce_max(const Operand& x, const Axes& axes, KeepDims keep) {
  return extreme(Extreme::max, "sparse_reduce_max", x, axes, keep);
}

Expr sparse_reduce_min(const Operand& x, const Axes& axes, KeepDims keep) {
  return extreme(Extreme::min, "sparse_reduce_min", x, axes, keep);
}

}  // namespace gradus
