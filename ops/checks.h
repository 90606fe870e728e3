// Refusals that the pages of many ops share, so that they read alike.
#pragma once

#include <gradus/core/graph/op.h>
#include <gradus/ops/ops.h>

#include <string_view>

namespace gradus {

/// Throws TypeError, naming the op, unless input i is dense.
void require_dense(std::string_view op, const OpInputs& in, int i = 0, std::string_view operand = "x");

/// The expression that x is. Throws TypeError for a number or a tensor: functions that make several nodes must
/// know the graph before the first.
Expr require_expr(std::string_view op, const Operand& x, std::string_view operand = "x");

}  // namespace gradus
