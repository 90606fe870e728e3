// Parts of a tensor by place, a chapter of the index of ops (ops.h): elements, ranges and steps of axes, and slices by
// indices that are computed. All take dense tensors, of any dtype.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/ops/axes.h>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

namespace gradus {

/// An open end in at(): Python's empty place around a colon, or the whole axis.
struct Open {};
inline constexpr Open _{};
/// In at(), an axis of size 1 that is added here, and as many whole axes as are left.
struct NewAxis {};
inline constexpr NewAxis new_axis{};
struct Ellipsis {};
inline constexpr Ellipsis ellipsis{};

/// What at() takes of one axis: an index, which drops the axis; a range {begin, end} or {begin, end, step}, without
/// its end; or all of it, `_`. Negative indices and bounds count from the end.
class Slice {
 public:
  enum class Kind : std::uint8_t { index, range, new_axis, ellipsis };
  /// One end of a range; none: as far as the axis goes.
  struct Bound : std::optional<std::int64_t> {
    Bound(Open) {}                                               // NOLINT(google-explicit-constructor)
    Bound(std::int64_t at) : std::optional<std::int64_t>(at) {}  // NOLINT(google-explicit-constructor)
  };

  // NOLINTBEGIN(google-explicit-constructor)
  Slice(std::int64_t index) : kind(Kind::index), begin(index), end(_) {}
  Slice(Open) : kind(Kind::range), begin(_), end(_) {}
  Slice(NewAxis) : kind(Kind::new_axis), begin(_), end(_) {}
  Slice(Ellipsis) : kind(Kind::ellipsis), begin(_), end(_) {}
  // NOLINTEND(google-explicit-constructor)
  Slice(Bound from, Bound to, std::int64_t by = 1) : kind(Kind::range), begin(from), end(to), step(by) {}

  Kind kind;
  Bound begin, end;  // of an index, begin alone
  std::int64_t step = 1;
};

/// Part of x by its axes from the first on, as Python's brackets:
///   at(x, {2})                 x[2]            at(x, {ellipsis, 0})      x[..., 0]
///   at(x, {_, -1})             x[:, -1]        at(x, {_, new_axis})      x[:, None]
///   at(x, {{1, 4}, {_, -1}})   x[1:4, :-1]     at(x, {{_, _, -1}})       x[::-1]
/// Ranges are cut off at the ends of their axis; an index out of range throws TypeError, in the run where the dimension
/// is known only there. (By an index that is computed: gather.)
Expr at(const Operand& x, const std::vector<Slice>& slices);
/// The same by ranges {begin[i], end[i], strides[i]} (without strides, by steps of 1).
Expr strided_slice(const Operand& x, const std::vector<std::int64_t>& begin, const std::vector<std::int64_t>& end,
                   const std::vector<std::int64_t>& strides = {});
/// size[i] elements from begin[i] on along each axis; a size of -1 takes all that follow.
Expr slice(const Operand& x, const std::vector<std::int64_t>& begin, const std::vector<std::int64_t>& size);
/// The parts of x at each index of an axis, which they lack. Its size must be known, and `num` if that is given.
std::vector<Expr> unstack(const Operand& x, std::int64_t num = any, int axis = 0);
/// x with its elements in reverse order along these axes.
Expr reverse(const Operand& x, const Axes& axes);
/// x with each element moved `shift` places on along an axis, from the last place to the first.
Expr roll(const Operand& x, std::int64_t shift, int axis);

/// Slices of x along an axis, by default its rows, by int32 or int64 indices of any shape. An index out of range throws
/// ValueError in the run. The gradient along axis 0 has layout rows.   [p, ...], [i, ...] -> [i, ..., ...]
/// The first `batch_dims` axes, not more than `axis`, are common to x and the indices: each part of x has indices of
/// its own.   with axis 1 and batch_dims 1, [n, p, ...], [n, i, ...] -> [n, i, ..., ...]
Expr gather(const Operand& x, const Operand& indices, int axis = 0, int batch_dims = 0);
/// Slices of x by int32 or int64 indices of its first d axes; out of range as for gather.
/// [p, q, ...], [i, ..., d = 2] -> [i, ..., ...]
Expr gather_nd(const Operand& x, const Operand& indices);

}  // namespace gradus
