// argmax and argmin: the position of the first extreme along one axis. A NaN is the extreme of what it stands in,
// as in NumPy.
#include <gradus/core/error.h>
#include <gradus/core/op.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

enum class Extreme : std::uint8_t { greatest, least };

// Whether a takes the place of best; a NaN takes any but another's. (x != x holds for NaN alone.)
template <Extreme extreme, class T>
bool beats(T a, T best) {
  const bool further = extreme == Extreme::greatest ? a > best : a < best;
  return further || (a != a && best == best);
}

class Arg : public Op {
 public:
  Arg(Extreme extreme, int axis) : extreme_(extreme), axis_(axis) {}

  std::string_view name() const override { return extreme_ == Extreme::greatest ? "argmax" : "argmin"; }
  std::string attributes() const override { return fmt::format("axis={}", axis_); }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const int axis = resolve_axis(name(), axis_, in);
    if (in[0].shape[axis] == 0)
      fail<TypeError>("{}: x is {}; axis {} is empty and has no extreme", name(), in.shape(0), axis);
    return {int64, in[0].shape.without(axis), Layout::dense};
  }

  std::string_view no_gradient(int) const override { return "a position is an integer"; }

  void compute(Call& call) const override {
    const Shape& shape = call.in(0).shape();
    if (shape.size() == 0) return;
    const int axis = resolve_axis(name(), axis_, shape.rank());
    const std::int64_t n = shape[axis];
    const std::int64_t inner = shape.slice(axis + 1, shape.rank()).size();
    dispatch(call.in(0).type.dtype, [&]<class T>(TypeTag<T>) {
      if (extreme_ == Extreme::greatest) return search<Extreme::greatest, T>(call, n, inner);
      search<Extreme::least, T>(call, n, inner);
    });
  }

 private:
  // Blocks [n, inner], one after another, of which each column has its extreme.
  template <Extreme extreme, class T>
  static void search(Call& call, std::int64_t n, std::int64_t inner) {
    const std::int64_t blocks = call.out().shape().size() / inner;
    const std::int64_t chunk = std::max<std::int64_t>(1, 16384 / (n * inner));
    call.workers().for_each(blocks, chunk, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t block = first; block < last; ++block) {
        const T* x = call.in<T>(0) + block * n * inner;
        std::int64_t* at = call.out<std::int64_t>() + block * inner;
        std::fill_n(at, inner, 0);
        for (std::int64_t i = 1; i < n; ++i)
          for (std::int64_t j = 0; j < inner; ++j)
            if (beats<extreme>(x[i * inner + j], x[at[j] * inner + j])) at[j] = i;
      }
    });
  }

  Extreme extreme_;
  int axis_;
};

}  // namespace

Expr argmax(const Operand& x, int axis) { return apply(std::make_shared<Arg>(Extreme::greatest, axis), {x}); }

Expr argmin(const Operand& x, int axis) { return apply(std::make_shared<Arg>(Extreme::least, axis), {x}); }

}  // namespace gradus
