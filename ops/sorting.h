// Order, a chapter of the index of ops (ops.h). Of equal elements the first comes first, in either direction; a NaN is
// greater than any number. All take dense tensors. On an accelerator each axis is sorted by a network of comparisons.
#pragma once

#include <gradus/core/graph/graph.h>

#include <cstdint>

namespace gradus {

enum class Direction : std::uint8_t { ascending, descending };
inline constexpr Direction ascending = Direction::ascending;
inline constexpr Direction descending = Direction::descending;

/// The elements along an axis in order.   [..., n, ...] -> [..., n, ...]
Expr sort(const Operand& x, int axis = -1, Direction direction = ascending);
/// Where they stand in x: gather by it sorts.   int32; no gradient
Expr argsort(const Operand& x, int axis = -1, Direction direction = ascending);

/// The k greatest elements along the last axis, the greatest first, and where they stand (int32).   [..., n] -> [...,
/// k]
struct TopK {
  Expr values, indices;
};
TopK top_k(const Operand& x, std::int64_t k = 1);
/// Whether fewer than k of a row of predictions are greater than that of its target, a class. It is not where that one
/// or any other of the row is not finite, or the class out of range.   [n, classes], int32 or int64 [n] -> bool [n]
Expr in_top_k(const Operand& predictions, const Operand& targets, std::int64_t k);

/// The different elements of a vector in the order in which they are met first. How many there are only the run knows:
/// y has as many places as x, those after the first `count` hold x's first element.
struct Unique {
  Expr y;      // [n]
  Expr idx;    // int32 [n]: where each element of x stands in y
  Expr count;  // int32 []
};
/// NaNs differ from each other. The gradient of y goes to the elements met first. A GPU has the host compute idx.
Unique unique(const Operand& x);

}  // namespace gradus
