// argmax and argmin: the position of the first extreme along one axis. A NaN is the extreme of what it stands in,
// as in NumPy.
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// Whether a takes the place of best; a NaN takes any but another's. (x != x holds for NaN alone.)
template <Extreme extreme, class T>
bool beats(T a, T best) {
  const bool further = extreme == Extreme::max ? a > best : a < best;
  return further || (a != a && best == best);
}

class Arg : public Op {
 public:
  Arg(Extreme extreme, int axis) : extreme_(extreme), axis_(axis) {}

  std::string_view name() const override { return extreme_ == Extreme::max ? "argmax" : "argmin"; }
  Attributes attributes() const override { return {{"axis", axis_}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const int axis = resolve_axis(name(), axis_, in);
    if (in[0].shape[axis] == 0)
      fail<TypeError>("{}: x is {}; axis {} is empty and has no extreme", name(), in.shape(0), axis);
    return {int64, in[0].shape.without(axis), Layout::dense};
  }

  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    const bool along = resolve_axis(name(), axis_, in[0].shape.rank()) == 0;
    return along ? Tiles{} : Tiles{Tiles::Gives::rows, 1, y.shape[0]};
  }

  std::string_view no_gradient(int) const override { return "a position is an integer"; }

  void compute(Call& call) const override {
    const Shape& shape = call.in(0).shape();
    if (shape.size() == 0) return;
    const int axis = resolve_axis(name(), axis_, shape.rank());
    const std::int64_t n = shape[axis];
    const std::int64_t inner = shape.slice(axis + 1, shape.rank()).size();
    dispatch(call.in(0).type.dtype, [&]<class T>(TypeTag<T>) {
      if (extreme_ == Extreme::max) return search<Extreme::max, T>(call, n, inner);
      search<Extreme::min, T>(call, n, inner);
    });
  }

  void launch(DeviceCall& call) const override {
    const Shape& shape = call.in(0).shape();
    if (shape.size() == 0) return;
    const int axis = resolve_axis(name(), axis_, shape.rank());
    const std::int64_t n = shape[axis];
    const std::int64_t inner = shape.slice(axis + 1, shape.rank()).size();
    const std::int64_t outputs = shape.size() / n;
    const int lanes = inner == 1 && n >= 32 ? 32 : 1;
    call.launch({"argmax", text,
                 fmt::format("{} constexpr bool is_max = {}; constexpr int lanes = {};",
                             using_type(call.in(0).type.dtype), extreme_ == Extreme::max, lanes)},
                grid_for(outputs * lanes), call.in(0).data, call.out().data, outputs, n, inner);
  }

 private:
  // One thread, or a warp for a long row, for each output.
  static constexpr std::string_view text = R"cuda(
// Whether a at position i goes before b at position j.
__device__ inline bool beats(T a, gr_int64 i, T b, gr_int64 j) {
  const bool nan_a = a != a, nan_b = b != b;
  if (nan_a || nan_b) return nan_a && (!nan_b || i < j);
  return (is_max ? a > b : a < b) || (a == b && i < j);
}
extern "C" __global__ void NAME(const T* x, gr_int64* y, gr_int64 outputs, gr_int64 n, gr_int64 inner) {
  const int lane = threadIdx.x % lanes;
  for (gr_int64 o = gr_first() / lanes; o < outputs; o += gr_step() / lanes) {
    const T* from = x + o / inner * n * inner + o % inner;
    gr_int64 at = lane < n ? lane : 0;
    T best = from[at * inner];
    for (gr_int64 i = at + lanes; i < n; i += lanes)
      if (beats(from[i * inner], i, best, at)) {
        best = from[i * inner];
        at = i;
      }
    for (int step = lanes / 2; step > 0; step /= 2) {
      const T other = T(__shfl_down_sync(0xffffffffu, best, step));
      const gr_int64 i = __shfl_down_sync(0xffffffffu, at, step);
      if (beats(other, i, best, at)) {
        best = other;
        at = i;
      }
    }
    if (lane == 0) y[o] = at;
  }
}
)cuda";

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

Expr argmax(const Operand& x, int axis) { return apply(std::make_shared<Arg>(Extreme::max, axis), {x}); }

Expr argmin(const Operand& x, int axis) { return apply(std::make_shared<Arg>(Extreme::min, axis), {x}); }

}  // namespace gradus
