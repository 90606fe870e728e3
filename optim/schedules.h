// Learning rates that change with the step: scalar expressions for an optimizer's rate, with TensorFlow's names,
// arguments and formulas. `step` is the variable that MinimizeOptions.step counts (or any scalar number); the first
// step sees 0. Results are float64 scalars, which optimizers cast to the dtype of each variable.
//
//   Expr step = g.variable("step", zeros({}, int64), {.trainable = false});
//   Expr train = Adam(cosine_decay(0.01, step, 1000)).minimize(loss, {.step = step});
#pragma once

#include <gradus/core/graph/graph.h>

#include <vector>

namespace gradus {

struct ExponentialDecayOptions {
  bool staircase = false;  // decay by whole periods: floor(step / decay_steps)
};
/// rate * decay_rate^(step / decay_steps). Throws ValueError unless both are above 0.
Expr exponential_decay(const Operand& rate, const Operand& step, double decay_steps, double decay_rate,
                       const ExponentialDecayOptions& options = {});

/// From the rate down half a cosine to alpha * rate at decay_steps, then there:
/// rate * ((1 - alpha) (1 + cos(pi min(step / decay_steps, 1))) / 2 + alpha). Throws ValueError unless decay_steps is
/// above 0 and alpha in [0, 1].   (Loshchilov and Hutter 2017, without restarts)
Expr cosine_decay(const Operand& rate, const Operand& step, double decay_steps, double alpha = 0);

/// values[0] while step <= boundaries[0], then values[1] while step <= boundaries[1], and so on; the last value after
/// the last boundary. Throws ValueError unless boundaries ascend and there is one value more than boundaries.
Expr piecewise_constant(const Operand& step, const std::vector<double>& boundaries, const std::vector<double>& values);

}  // namespace gradus
