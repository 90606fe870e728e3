// The value of one node of constants, computed at once.
#pragma once

#include <gradus/core/op.h>

namespace gradus {

/// Runs the node's kernel on its inputs, which are constants where it reads their numbers. The result is dense.
Tensor evaluate(const Expr& node);

}  // namespace gradus
