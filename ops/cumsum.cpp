// cumsum: running sums along one axis, y[i] = x[0] + ... + x[i]; exclusive leaves x[i] out, reverse sums from the
// end. Each element is added in turn, as NumPy does, so y[n - 1] may differ from reduce_sum in the last bits.
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

namespace gradus {

namespace {

// Integers wrap around, which only unsigned ones may.
template <class T>
T sum(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  } else {
    return a + b;
  }
}

class Cumsum : public Op {
 public:
  Cumsum(int axis, const CumsumOptions& options) : axis_(axis), options_(options) {}

  std::string_view name() const override { return "cumsum"; }
  Attributes attributes() const override {
    return {{"axis", axis_}, {"exclusive", options_.exclusive}, {"reverse", options_.reverse}};
  }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    resolve_axis(name(), axis_, in);
    if (in[0].dtype == boolean)
      fail<TypeError>("cumsum: x is {}; numbers can be summed, so cast(x, int64) first", in.dtype(0));
    return in[0];
  }

  Tiles by_rows(std::span<const Type>, const Type& y) const override {
    return resolve_axis(name(), axis_, y.shape.rank()) == 0 ? Tiles{} : Tiles{Tiles::Gives::rows, 1, y.shape[0]};
  }

  // x[i] is in every sum y[j] with j >= i, so dx[i] = dy[i] + ... + dy[n - 1]: the sum from the other end.
  Expr gradient(const Expr&, const Expr& dy, int) const override {
    return cumsum(dy, axis_, {.exclusive = options_.exclusive, .reverse = !options_.reverse});
  }

  void compute(Call& call) const override {
    const Shape& shape = call.in(0).shape();
    if (shape.size() == 0) return;
    const int axis = resolve_axis(name(), axis_, shape.rank());
    const std::int64_t n = shape[axis];
    const std::int64_t inner = shape.slice(axis + 1, shape.rank()).size();
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) { run<T>(call, n, inner); });
  }

  void launch(DeviceCall& call) const override {
    const Shape& shape = call.in(0).shape();
    if (shape.size() == 0) return;
    const int axis = resolve_axis(name(), axis_, shape.rank());
    const std::int64_t n = shape[axis];
    const std::int64_t inner = shape.slice(axis + 1, shape.rank()).size();
    const std::int64_t sums = shape.size() / n;
    const bool by_warps = inner == 1 && n >= 32;
    call.launch({"cumsum", by_warps ? warp_text : text,
                 fmt::format("{} constexpr bool exclusive = {}, reverse = {};", using_type(call.out().type.dtype),
                             options_.exclusive, options_.reverse)},
                grid_for(by_warps ? sums * 32 : sums), call.in(0).data, call.out().data, sums, n, inner);
  }

 private:
  // A thread for each running sum, which is added up in turn as on the CPU.
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, gr_int64 sums, gr_int64 n, gr_int64 inner) {
  for (gr_int64 s = gr_first(); s < sums; s += gr_step()) {
    gr_int64 at = s / inner * n * inner + s % inner + (reverse ? (n - 1) * inner : 0);
    T sum = 0;
    for (gr_int64 i = 0; i < n; ++i, at += reverse ? -inner : inner) {
      const T next = x[at];
      if (exclusive) y[at] = sum;
      sum = i == 0 ? next : gr_add(sum, next);
      if (!exclusive) y[at] = sum;
    }
  }
}
)cuda";

  // In turn too, but a warp reads and writes 32 numbers at once.
  static constexpr std::string_view warp_text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, gr_int64 sums, gr_int64 n, gr_int64) {
  const int lane = threadIdx.x % 32;
  for (gr_int64 s = gr_first() / 32; s < sums; s += gr_step() / 32) {
    T sum = 0;
    for (gr_int64 first = 0; first < n; first += 32) {
      const gr_int64 i = first + lane, at = s * n + (reverse ? n - 1 - i : i);
      const T mine = i < n ? x[at] : T(0);
      T result = sum;
      for (int l = 0; l < 32; ++l) {
        if (exclusive && l == lane) result = sum;
        const T next = __shfl_sync(0xffffffffu, mine, l);
        sum = first + l == 0 ? next : gr_add(sum, next);
        if (!exclusive && l == lane) result = sum;
      }
      if (i < n) y[at] = result;
    }
  }
}
)cuda";

  // Blocks [n, inner], one after another; a piece of work is some columns of some blocks.
  template <class T>
  void run(Call& call, std::int64_t n, std::int64_t inner) const {
    const std::int64_t width = std::min<std::int64_t>(inner, 512);
    const std::int64_t tiles = (inner + width - 1) / width;
    const std::int64_t blocks = call.in(0).shape().size() / (n * inner);
    const std::int64_t chunk = std::max<std::int64_t>(1, 16384 / (n * width));
    call.workers().for_each(blocks * tiles, chunk, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t piece = first; piece < last; ++piece) {
        const std::int64_t start = piece / tiles * n * inner + piece % tiles * width;
        add_up(call.in<T>(0) + start, call.out<T>() + start, n, inner, std::min(width, inner - piece % tiles * width));
      }
    });
  }

  template <class T>
  void add_up(const T* x, T* y, std::int64_t n, std::int64_t inner, std::int64_t columns) const {
    const std::int64_t step = options_.reverse ? -inner : inner;
    if (options_.reverse) {
      x += (n - 1) * inner;
      y += (n - 1) * inner;
    }
    for (std::int64_t j = 0; j < columns; ++j) y[j] = options_.exclusive ? T{} : x[j];
    for (std::int64_t i = 1; i < n; ++i) {
      const T* next = options_.exclusive ? x : x + step;
      for (std::int64_t j = 0; j < columns; ++j) y[step + j] = sum(y[j], next[j]);
      x += step;
      y += step;
    }
  }

  int axis_;
  CumsumOptions options_;
};

}  // namespace

Expr cumsum(const Operand& x, int axis, const CumsumOptions& options) {
  return apply(std::make_shared<Cumsum>(axis, options), {x});
}

}  // namespace gradus
