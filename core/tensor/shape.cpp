#include <gradus/core/tensor/shape.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// The largest element is 8 bytes; a byte count must fit std::int64_t too.
constexpr std::int64_t max_elements = INT64_MAX / 8;

std::string text(std::span<const std::int64_t> dims) {
  std::string out = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) out += ", ";
    out += dims[i] == any ? "?" : fmt::format("{}", dims[i]);
  }
  return out + "]";
}

}  // namespace

Shape::Shape(std::span<const std::int64_t> dims) {
  if (dims.size() > static_cast<std::size_t>(max_rank))
    fail<TypeError>("shape {} has {} dimensions; at most {} are supported", text(dims), dims.size(), max_rank);
  // A zero anywhere makes the tensor empty, but the other sizes must still be sane: multiply as if it were 1.
  std::int64_t elements = 1;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const std::int64_t dim = dims[axis];
    if (dim < any) fail<TypeError>("shape {}: dimension {} is {}; sizes are at least 0", text(dims), axis, dim);
    if (dim > 0 && elements > max_elements / dim)
      fail<TypeError>("shape {} holds more elements than fit in 64 bits", text(dims));
    if (dim > 0) elements *= dim;
    dims_[axis] = dim;
  }
  rank_ = static_cast<int>(dims.size());
}

bool Shape::known() const { return ranked_ && std::find(begin(), end(), any) == end(); }

std::int64_t Shape::size() const {
  std::int64_t elements = 1;
  for (const std::int64_t dim : dims()) elements *= dim;
  return elements;
}

Shape Shape::with(int axis, std::int64_t dim) const {
  const auto at = static_cast<std::size_t>(axis);
  if (dim >= 0 && dim <= dims_[at]) {  // nothing to check, as for each tile of a run
    Shape smaller = *this;
    smaller.dims_[at] = dim;
    return smaller;
  }
  auto dims = dims_;
  dims[at] = dim;
  return Shape(std::span(dims.data(), static_cast<std::size_t>(rank_)));
}

Shape Shape::without(int axis) const {
  auto dims = dims_;
  std::copy(dims_.begin() + axis + 1, dims_.begin() + rank_, dims.begin() + axis);
  return Shape(std::span(dims.data(), static_cast<std::size_t>(rank_ - 1)));
}

Shape Shape::insert(int axis, std::int64_t dim) const {
  std::array<std::int64_t, max_rank + 1> dims{};
  std::copy(begin(), begin() + axis, dims.begin());
  dims[static_cast<std::size_t>(axis)] = dim;
  std::copy(begin() + axis, end(), dims.begin() + axis + 1);
  return Shape(std::span(dims.data(), static_cast<std::size_t>(rank_ + 1)));
}

Shape Shape::slice(int first, int last) const {
  return Shape(dims().subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)));
}

std::string to_string(const Shape& shape) { return shape.ranked() ? text(shape.dims()) : "[...]"; }

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  if (!a.ranked() || !b.ranked()) return any_shape;
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::max_rank> dims{};
  for (int axis = 0; axis < rank; ++axis) {
    const int in_a = axis - (rank - a.rank());
    const int in_b = axis - (rank - b.rank());
    const std::int64_t m = in_a < 0 ? 1 : a[in_a];
    const std::int64_t n = in_b < 0 ? 1 : b[in_b];
    std::int64_t& dim = dims[static_cast<std::size_t>(axis)];
    if (m == n || n == 1) {
      dim = m;
    } else if (m == 1) {
      dim = n;
    } else if (m == any || n == any) {
      dim = std::max(m, n);  // the known one of the two
    } else {
      return std::nullopt;
    }
  }
  return Shape(std::span(dims.data(), static_cast<std::size_t>(rank)));
}

bool matches(const Shape& declared, const Shape& actual) {
  return !declared.ranked() ||
         std::equal(declared.begin(), declared.end(), actual.begin(), actual.end(),
                    [](std::int64_t want, std::int64_t have) { return want == any || want == have; });
}

std::array<std::int64_t, Shape::max_rank> row_major_strides(const Shape& shape) {
  std::array<std::int64_t, Shape::max_rank> strides{};
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

std::array<std::int64_t, Shape::max_rank> broadcast_strides(const Shape& from, const Shape& to) {
  const auto own = row_major_strides(from);
  std::array<std::int64_t, Shape::max_rank> strides{};
  const int added = to.rank() - from.rank();
  for (int axis = added; axis < to.rank(); ++axis)
    if (from[axis - added] != 1) strides[static_cast<std::size_t>(axis)] = own[static_cast<std::size_t>(axis - added)];
  return strides;
}

}  // namespace gradus
