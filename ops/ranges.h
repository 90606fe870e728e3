// Ranges of axes as Python cuts them, for the ops that read or fill a part of a tensor.
#pragma once

#include <gradus/core/graph/op.h>
#include <gradus/ops/slicing.h>

#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// What is taken of one axis, by a range or by an index: that is a range of one element, which must be there.
struct AxisRange {
  Slice::Bound begin = _, end = _;
  std::int64_t step = 1;
  bool is_index = false;
};
using AxisRanges = std::vector<AxisRange>;

/// dy, which has the shape of these ranges of x, set into zeros of x's shape: the gradient of what takes them.
Expr set_into(const Expr& dy, const Expr& x, const AxisRanges& ranges);

}  // namespace gradus
