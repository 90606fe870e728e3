// Steps of optimizers that have one loop for all of their ops on rows of tables (FusedSteps), by their last op.
#pragma once

#include <gradus/core/graph/op.h>

#include <span>

namespace gradus {

/// That of GradientDescent and of Momentum: variable - rate * direction.
std::span<const FusedSteps> fused_descent();
/// Adagrad's: variable - rate * gradient / root.
std::span<const FusedSteps> fused_adagrad();
/// Adam's: variable - rate * moment / divisor.
std::span<const FusedSteps> fused_adam();

}  // namespace gradus
