// Ftrl-proximal: the weights that would have been best against all gradients so far, under penalties that keep most
// of them exactly 0. McMahan et al.: Ad Click Prediction: a View from the Trenches (2013), algorithm 1; the shrinkage
// is TensorFlow's addition.
#include <gradus/optim/update.h>

namespace gradus {

Ftrl::Ftrl(Operand rate, const FtrlOptions& options)
    : Optimizer("Ftrl", std::move(rate), Range::above_0), options_(options) {
  require("learning_rate_power", options.learning_rate_power, Range::at_most_0);
  require("initial_accumulator", options.initial_accumulator, Range::at_least_0);
  require("l1", options.l1, Range::at_least_0);
  require("l2", options.l2, Range::at_least_0);
  require("l2_shrinkage", options.l2_shrinkage, Range::at_least_0);
}

void Ftrl::update(Update& u) const {
  const double p = -options_.learning_rate_power;
  const Expr accum = u.slot("accum", options_.initial_accumulator), linear = u.slot("linear", 0);
  const Expr before = u.old(accum), w = u.old(u.variable());
  const Expr n = u.set(accum, before + square(u.g()));
  const Expr n_power = pow(n, p);
  Expr force = u.g() - (n_power - pow(before, p)) / u.rate() * w;
  if (options_.l2_shrinkage > 0) force = force + 2 * options_.l2_shrinkage * w;
  const Expr z = u.set(linear, u.old(linear) + force);
  const Expr best = (sign(z) * options_.l1 - z) / (n_power / u.rate() + 2 * options_.l2);
  u.set(u.variable(), mask(greater(abs(z), options_.l1), best));
}

}  // namespace gradus
