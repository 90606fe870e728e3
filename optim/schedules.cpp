#include <gradus/optim/schedules.h>

#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gradus {

namespace {

// The step as float64, in which counts up to 2^53 are exact.
Expr counted(std::string_view schedule, const Operand& step) {
  const Expr expr = require_expr(schedule, step, "step");
  if (!expr.valid() || expr.rank() != 0 || expr.dtype() == boolean)
    fail<TypeError>("{}: the step is {}; a scalar number is expected, as MinimizeOptions.step counts", schedule,
                    to_string(expr));
  return cast(expr, float64);
}

Operand checked_rate(std::string_view schedule, const Operand& rate) {
  if (const std::optional<double> number = rate.number()) {
    if (!(*number >= 0 && std::isfinite(*number)))
      fail<ValueError>("{}: the learning rate is {}; a number of at least 0 is expected", schedule, *number);
    return rate;
  }
  const Expr expr = require_expr(schedule, rate, "the learning rate");
  if (!is_floating(expr.dtype()) || expr.rank() != 0)
    fail<TypeError>("{}: the learning rate is {}; a floating scalar is expected", schedule, to_string(expr));
  return cast(expr, float64);
}

void require_above_0(std::string_view schedule, std::string_view argument, double value) {
  if (!(value > 0 && std::isfinite(value)))
    fail<ValueError>("{}: {} is {}; a number above 0 is expected", schedule, argument, value);
}

}  // namespace

Expr exponential_decay(const Operand& rate, const Operand& step, double decay_steps, double decay_rate,
                       const ExponentialDecayOptions& options) {
  constexpr std::string_view name = "exponential_decay";
  require_above_0(name, "decay_steps", decay_steps);
  require_above_0(name, "decay_rate", decay_rate);
  const Graph::Pin pin = require_expr(name, step, "step").graph().pin(step.where());
  const Expr periods = counted(name, step) / decay_steps;
  return checked_rate(name, rate) * pow(decay_rate, options.staircase ? floor(periods) : periods);
}

Expr cosine_decay(const Operand& rate, const Operand& step, double decay_steps, double alpha) {
  constexpr std::string_view name = "cosine_decay";
  require_above_0(name, "decay_steps", decay_steps);
  if (!(alpha >= 0 && alpha <= 1)) fail<ValueError>("{}: alpha is {}; a number in [0, 1] is expected", name, alpha);
  const Graph::Pin pin = require_expr(name, step, "step").graph().pin(step.where());
  const Expr done = minimum(counted(name, step) / decay_steps, 1);
  const Expr cosine = 0.5 * (1 + cos(std::numbers::pi * done));
  return checked_rate(name, rate) * ((1 - alpha) * cosine + alpha);
}

Expr piecewise_constant(const Operand& step, const std::vector<double>& boundaries, const std::vector<double>& values) {
  constexpr std::string_view name = "piecewise_constant";
  if (values.size() != boundaries.size() + 1)
    fail<ValueError>("{}: there are {} boundaries and {} values; one value more than boundaries is expected", name,
                     boundaries.size(), values.size());
  const auto not_below = [](double a, double b) { return !(a < b); };
  const bool ascend = std::adjacent_find(boundaries.begin(), boundaries.end(), not_below) == boundaries.end() &&
                      (boundaries.empty() || !std::isnan(boundaries.front()));
  if (!ascend) fail<ValueError>("{}: boundaries are [{}]; each must be above the one before", name, listed(boundaries));
  for (const double value : values)
    if (!(value >= 0 && std::isfinite(value)))
      fail<ValueError>("{}: values are [{}]; numbers of at least 0 are expected", name, listed(values));
  Graph& graph = require_expr(name, step, "step").graph();
  const Graph::Pin pin = graph.pin(step.where());
  // The value's number is the count of boundaries passed.
  const Expr passed = greater(counted(name, step), graph.constant(Tensor::from(boundaries)));
  return gather(graph.constant(Tensor::from(values)), reduce_sum(cast(passed, int64)));
}

}  // namespace gradus
