// Boxes of elements: n-dimensional loops over two memories, each with its own stride per axis. All ops that only
// move numbers (transpose, broadcast_to, concat, slice, pad, tile) describe what they do as a box and share these
// loops. Strides count elements; a source stride of 0 repeats.
#pragma once

#include <gradus/core/device/device_call.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/shape.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace gradus {

struct Box {
  static constexpr int max_axes = 2 * Shape::max_rank;  // tile splits each axis in two
  struct Axis {
    std::int64_t size;
    std::int64_t from;  // stride in the source
    std::int64_t to;    // stride in the target
  };

  std::array<Axis, max_axes> axis;
  int rank = 0;
  std::int64_t from = 0;  // where the box starts in the source
  std::int64_t to = 0;    // and in the target

  Box() = default;
  /// All of a row-major tensor, as part of a target with strides `to`.
  Box(const Shape& shape, const std::array<std::int64_t, Shape::max_rank>& from,
      const std::array<std::int64_t, Shape::max_rank>& to);

  void add(std::int64_t size, std::int64_t from_stride, std::int64_t to_stride);
  std::int64_t size() const;
  /// The same box without axes of size 1, and with neighbours merged that are one axis in both memories.
  Box simplified() const;
};

/// Copies a box of elements of `bytes` (1, 4 or 8) bytes each.
void copy_box(Workers& workers, const Box& box, const std::byte* from, std::byte* to, std::size_t bytes);
inline void copy_box(Call& call, const Box& box, const std::byte* from, std::byte* to, std::size_t bytes) {
  copy_box(call.workers(), box, from, to, bytes);
}
/// The same on an accelerator. Where there is a `place`, position i of the first axis goes to position place[i] in the
/// target.
void copy_box(DeviceCall& call, const Box& box, const std::byte* from, std::byte* to, std::size_t bytes,
              const Index* place = nullptr);

/// On an accelerator, n numbers that are all `value`.
void fill(DeviceCall& call, std::byte* to, DType dtype, std::int64_t n, const Number& value);

}  // namespace gradus
