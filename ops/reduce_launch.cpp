#include <gradus/ops/reduce_launch.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// An index space with a stride for each axis.
struct Space {
  int rank = 0;
  std::int64_t size[Shape::max_rank] = {1}, stride[Shape::max_rank] = {0};

  void add(std::int64_t axis_size, std::int64_t axis_stride) {
    size[rank] = axis_size;
    stride[rank++] = axis_stride;
  }
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= size[i];
    return n;
  }
};

constexpr std::string_view reduce_text = R"cuda(
struct Space {
  int rank;
  gr_int64 size[8], stride[8];
};
__device__ inline gr_int64 offset(const Space& space, gr_int64 i) {
  gr_int64 at = 0;
  for (int axis = space.rank - 1; axis > 0; --axis) {
    at += i % space.size[axis] * space.stride[axis];
    i /= space.size[axis];
  }
  return at + i * space.stride[0];
}
// `lanes` threads, 1, a warp or a block, fold one piece of what goes into one output.
extern "C" __global__ void NAME(const T* x, Out* y, Space kept, Space reduced, gr_int64 outputs, gr_int64 n,
                                gr_int64 pieces, double scale) {
  const gr_int64 lane = threadIdx.x % lanes, piece_size = (n + pieces - 1) / pieces;
  for (gr_int64 task = gr_first() / lanes; task < outputs * pieces; task += gr_step() / lanes) {
    const gr_int64 piece = task / outputs, output = task % outputs;
    const gr_int64 last = piece * piece_size + piece_size < n ? piece * piece_size + piece_size : n;
    const gr_int64 from = offset(kept, output);
    Wide total = F::start<Wide>();
    for (gr_int64 i = piece * piece_size + lane; i < last; i += 32 * lanes) {
      T part = x[from + offset(reduced, i)];
      for (int k = 1; k < 32 && i + k * lanes < last; ++k)
        part = F::fold(part, x[from + offset(reduced, i + k * lanes)]);
      total = F::fold(total, Wide(part));
    }
    if (lanes == 32) total = gr_warp_fold<F, 32>(total);
    if (lanes > 32) total = gr_block_fold<F>(total);
    if (lane == 0) y[task] = Out(scale == 1 ? total : Wide(double(total) * scale));
  }
}
)cuda";

constexpr std::string_view segments_text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, const gr_int64* start, gr_int64 segments, const gr_int64* position,
                                const int* place, double scale) {
  const int lane = threadIdx.x % 32;
  for (gr_int64 s = gr_first() / 32; s < segments; s += gr_step() / 32) {
    Wide total = F::template start<Wide>();
    const gr_int64 last = start[s + 1];
    for (gr_int64 i = start[s] + lane; i < last; i += 32)
      total = F::fold(total, Wide(x[position != nullptr ? position[i] : i]));
    total = gr_warp_fold<F, 32>(total);
    if (start[s] == last) total = 0;
    if (lane == 0) y[place != nullptr ? gr_int64(place[s]) : s] = T(scale == 1 ? total : Wide(double(total) * scale));
  }
}
)cuda";

// The type in which an unfinished result is kept.
DType wide_type(std::string_view fold, DType dtype) {
  return dtype == float32 && (fold == "gr_Sum" || fold == "gr_Product") ? float64 : dtype;
}

}  // namespace

void reduce_dense(DeviceCall& call, std::string_view fold, const Value& x, const Shape& shape, unsigned reduced,
                  double scale) {
  // Neighbouring axes of one kind are one axis.
  Space kept, gone;
  std::int64_t stride = 1;
  int last_kind = -1;
  bool innermost_goes = true;
  struct Axis {
    std::int64_t size, stride;
    bool goes;
  };
  std::array<Axis, Shape::max_rank> axes;  // the innermost first
  int count = 0;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    const bool goes = ((reduced >> static_cast<unsigned>(axis)) & 1U) != 0;
    if (last_kind == (goes ? 1 : 0)) {
      axes[static_cast<std::size_t>(count - 1)].size *= shape[axis];
    } else {
      axes[static_cast<std::size_t>(count++)] = {shape[axis], stride, goes};
    }
    last_kind = goes ? 1 : 0;
    stride *= shape[axis];
  }
  if (count > 0) innermost_goes = axes[0].goes;
  while (count-- > 0) {
    const Axis& axis = axes[static_cast<std::size_t>(count)];
    (axis.goes ? gone : kept).add(axis.size, axis.stride);
  }
  const std::int64_t outputs = kept.elements();
  const std::int64_t n = gone.elements();
  if (outputs == 0) return;

  int lanes = 1;
  if (innermost_goes && n >= 32) lanes = n >= 2048 && outputs < 1024 ? 256 : 32;
  // Few results leave a device idle: what goes into each is cut into pieces, which a second kernel folds.
  const std::int64_t wanted = lanes == 256 ? 1024 / outputs : 65536 / (outputs * lanes);
  const std::int64_t pieces = std::clamp<std::int64_t>(std::min(wanted, n / (std::int64_t{64} * lanes)), 1, 256);

  const DType dtype = x.type.dtype;
  const DType wide = wide_type(fold, dtype);
  const auto kernel = [&](DType from, DType to, int threads) {
    return KernelText{
        "reduce", reduce_text,
        fmt::format("using T = {}; using Wide = {}; using Out = {}; using F = {}; constexpr int lanes = {};",
                    cuda_name(from), cuda_name(wide), cuda_name(to), fold, threads)};
  };
  const Grid grid = grid_for(outputs * pieces * lanes);
  if (pieces == 1)
    return call.launch(kernel(dtype, dtype, lanes), grid, x.data, call.out().data, kept, gone, outputs, n, pieces,
                       scale);
  std::byte* parts = call.scratch(outputs * pieces * static_cast<std::int64_t>(size_of(wide)));
  call.launch(kernel(dtype, wide, lanes), grid, x.data, parts, kept, gone, outputs, n, pieces, 1.0);
  Space results, of_one;
  results.add(outputs, 1);
  of_one.add(pieces, outputs);
  call.launch(kernel(wide, dtype, 1), grid_for(outputs), parts, call.out().data, results, of_one, outputs, pieces,
              std::int64_t{1}, scale);
}

void fold_segments(DeviceCall& call, std::string_view fold, const SegmentSums& segments, DType dtype,
                   const std::byte* x, std::byte* y) {
  if (segments.segments == 0) return;
  call.launch({"fold_segments", segments_text,
               fmt::format("using T = {}; using Wide = {}; using F = {};", cuda_name(dtype),
                           cuda_name(wide_type(fold, dtype)), fold)},
              grid_for(segments.segments * 32), x, y, segments.start, segments.segments, segments.position,
              segments.place, segments.scale);
}

void sum_segments(DeviceCall& call, const SegmentSums& sums, DType dtype, const std::byte* x, std::byte* y) {
  fold_segments(call, "gr_Sum", sums, dtype, x, y);
}

}  // namespace gradus
