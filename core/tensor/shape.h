// Shapes: up to eight dimensions, each a size or `any` (unknown until a run), with NumPy's broadcasting.
// Every size that is known is checked in 64 bits when the shape is made: no shape can describe more
// elements than std::int64_t counts bytes for.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

namespace gradus {

/// A dimension that is not known until a run: placeholder("X", {any, 16}).
inline constexpr std::int64_t any = -1;

class Shape {
 public:
  static constexpr int max_rank = 8;

  /// A scalar's shape, [].
  Shape() = default;
  /// Throws TypeError for more than eight dimensions, a negative one other than `any`, or a size that overflows.
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims);
  /// A shape of which not even the rank is known until a run; see any_shape.
  static Shape of_any_rank() {
    Shape shape;
    shape.ranked_ = false;
    return shape;
  }

  /// Whether the rank is known. Where it is not, rank() is 0.
  bool ranked() const { return ranked_; }
  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), static_cast<std::size_t>(rank_)}; }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }

  /// Whether the rank is known and no dimension is `any`.
  bool known() const;
  /// Number of elements; 1 for a scalar. Only for a known shape.
  std::int64_t size() const;

  /// This shape with dimension `axis` replaced, removed, or a new one put before it.
  Shape with(int axis, std::int64_t dim) const;
  Shape without(int axis) const;
  Shape insert(int axis, std::int64_t dim) const;
  /// Dimensions [first, last) as a shape.
  Shape slice(int first, int last) const;

  bool operator==(const Shape&) const = default;

 private:
  std::array<std::int64_t, max_rank> dims_{};  // zero beyond rank_, so that == may compare whole arrays
  int rank_ = 0;
  bool ranked_ = true;
};

/// Any rank and any sizes, known in the run: placeholder("x", any_shape).
inline const Shape any_shape = Shape::of_any_rank();

/// "[7, 16]"; an unknown dimension prints as "?", an unknown rank as "[...]".
std::string to_string(const Shape& shape);

/// The common shape of a and b by NumPy's rules, or nothing if they do not broadcast. An unknown dimension
/// against a size greater than 1 gives that size; against 1 or unknown it stays unknown. Of any rank if one is.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);

/// Whether a tensor of shape `actual` (known) may be fed where `declared` is asked.
bool matches(const Shape& declared, const Shape& actual);

/// Elements to step for each axis of a row-major tensor.
std::array<std::int64_t, Shape::max_rank> row_major_strides(const Shape& shape);
/// The same along the axes of `to`, to which `from` broadcasts: 0 where it is repeated.
std::array<std::int64_t, Shape::max_rank> broadcast_strides(const Shape& from, const Shape& to);

}  // namespace gradus
