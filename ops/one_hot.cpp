// one_hot: y[i, ..., d] = 1 where indices[i, ...] = d, else 0. An index outside [0, depth) gives a row of zeros.
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

class OneHot : public Op {
 public:
  OneHot(std::int64_t depth, DType dtype) : depth_(depth), dtype_(dtype) {}

  std::string_view name() const override { return "one_hot"; }
  Attributes attributes() const override { return {{"depth", depth_}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in, 0, "indices");
    if (!is_integer(in[0].dtype)) fail<TypeError>("one_hot: indices is {}; int32 or int64 is right", in.dtype(0));
    if (depth_ < 0) fail<ValueError>("one_hot: depth is {}; at least 0 is right", depth_);
    return {dtype_, in[0].shape.insert(in[0].shape.rank(), depth_), Layout::dense};
  }

  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 1, y.shape[0]}; }
  std::string_view no_gradient(int) const override { return "indices are integers"; }

  void compute(Call& call) const override {
    dispatch(dtype_, [&]<class T>(TypeTag<T>) {
      by_index_type(call.in(0), [&](const auto* index) { set_ones<T>(call, index); });
    });
  }

  void launch(DeviceCall& call) const override {
    const std::int64_t n = call.out().shape().size();
    if (n == 0) return;
    call.launch(
        {"one_hot", text, fmt::format("{} using I = {};", using_type(dtype_), cuda_name(call.in(0).type.dtype))},
        grid_for(n), call.in(0).data, call.out().data, n, depth_);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const I* indices, T* y, gr_int64 n, gr_int64 depth) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) y[i] = T(indices[i / depth] == i % depth);
}
)cuda";

  template <class T, class I>
  void set_ones(Call& call, const I* indices) const {
    T* out = call.out<T>();
    const std::int64_t chunk = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, depth_));
    call.workers().for_each(call.in(0).shape().size(), chunk, [&](std::int64_t first, std::int64_t last) {
      std::fill(out + first * depth_, out + last * depth_, T{});
      for (std::int64_t i = first; i < last; ++i)
        if (indices[i] >= 0 && indices[i] < depth_) out[i * depth_ + indices[i]] = static_cast<T>(1);
    });
  }

  std::int64_t depth_;
  DType dtype_;
};

}  // namespace

Expr one_hot(const Operand& indices, std::int64_t depth, DType dtype) {
  return apply(std::make_shared<OneHot>(depth, dtype), {indices});
}

}  // namespace gradus
