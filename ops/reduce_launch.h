// Reductions on an accelerator: any axes of a dense tensor, and segments of a row of numbers. Each is folded in an
// order that depends on sizes alone; float32 sums go over to float64 after 32 terms at most.
#pragma once

#include <gradus/core/device/device_call.h>

namespace gradus {

/// Reduces the axes of `reduced` (bits) of x, dense or taken as such, of shape `shape`, into the call's output; each
/// result is multiplied by `scale` (floating types only). `fold` is gr_Sum or another of core/device/kernel_prelude.h.
void reduce_dense(DeviceCall& call, std::string_view fold, const Value& x, const Shape& shape, unsigned reduced,
                  double scale = 1);

/// y[place[s]], or y[s] where place is null, becomes the fold of x[position[j]], or x[j] where position is null, for
/// start[s] <= j < start[s + 1], times `scale`; 0 where there is none.
struct SegmentSums {
  const std::int64_t* start = nullptr;
  std::int64_t segments = 0;
  const std::int64_t* position = nullptr;
  const Index* place = nullptr;
  double scale = 1;
};
void fold_segments(DeviceCall& call, std::string_view fold, const SegmentSums& segments, DType dtype,
                   const std::byte* x, std::byte* y);
void sum_segments(DeviceCall& call, const SegmentSums& sums, DType dtype, const std::byte* x, std::byte* y);

}  // namespace gradus
