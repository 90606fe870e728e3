// Clipping by norm, for gradients between compute_gradients and apply_gradients; by value it is the op clip_by_value.
// Rows stay rows, and their norms cost what they hold.
#pragma once

#include <gradus/ops/ops.h>

#include <span>
#include <vector>

namespace gradus {

/// x * norm / max(|x|, norm), where |x| is the Euclidean norm over the axes (all, by default): as it was, to the bit,
/// where |x| is at most `norm`. x may be csr. Throws ValueError unless the norm is above 0, TypeError unless x is
/// floating.
Expr clip_by_norm(const Operand& x, const Operand& norm, const Axes& axes = {});

/// sqrt(sum of all squares): the norm of tensors as if they were one. float64 if one of them is.
/// Throws TypeError for an empty list or what is not floating.
Expr global_norm(std::span<const Expr> values, Location where = Location::current());

struct ClippedByGlobalNorm {
  std::vector<Expr> clipped;
  Expr global_norm;  // before clipping
};
/// Each value * norm / max(global norm, norm): directions stay, and so do lengths relative to one another. Where the
/// global norm is infinite or NaN, all that is clipped is NaN (so that it is seen), as in TensorFlow.
/// (Pascanu, Mikolov, Bengio 2012.)
///   auto [clipped, norm] = clip_by_global_norm(gradients(loss, variables), 5);
ClippedByGlobalNorm clip_by_global_norm(std::span<const Expr> values, const Operand& norm,
                                        Location where = Location::current());

}  // namespace gradus
