// Adam: the mean of recent gradients over their root mean square, both corrected for having started at zero.
// AdamW: the same, and weights that decay apart from it.
// Kingma and Ba: Adam: A Method for Stochastic Optimization (2015), in the order of computation that ends section 2;
// Loshchilov and Hutter: Decoupled Weight Decay Regularization (2019), algorithm 2.
#include <gradus/optim/update.h>

namespace gradus {

Adam::Adam(std::string_view name, Operand rate, const AdamOptions& options)
    : Optimizer(name, std::move(rate)), options_(options) {
  require("beta1", options.beta1, Range::fraction);
  require("beta2", options.beta2, Range::fraction);
  require("epsilon", options.epsilon, Range::at_least_0);
}

Operand Adam::step_size(Step& step) const {
  // float64 throughout: in float32, 1 - 0.999^t would keep four digits of the first steps.
  const Expr t = step.number();
  return step.rate() * (sqrt(1 - pow(options_.beta2, t)) / (1 - pow(options_.beta1, t)));
}

Expr Adam::move(Update& u) const {
  const auto& [beta1, beta2, epsilon] = options_;
  const Expr mean = u.slot("m", 0), mean_square = u.slot("v", 0);
  const Expr m = u.set(mean, beta1 * u.old(mean) + (1 - beta1) * u.g());
  const Expr v = u.set(mean_square, beta2 * u.old(mean_square) + (1 - beta2) * square(u.g()));
  return u.step_size() * m / (sqrt(v) + epsilon);
}

void Adam::update(Update& u) const { u.set(u.variable(), u.old(u.variable()) - move(u)); }

AdamW::AdamW(Operand rate, const AdamWOptions& options)
    : Adam("AdamW", std::move(rate), {options.beta1, options.beta2, options.epsilon}),
      weight_decay_(options.weight_decay) {
  require("weight_decay", weight_decay_, Range::at_least_0);
}

void AdamW::update(Update& u) const {
  const Expr w = u.old(u.variable());
  const Expr decay = u.rate() * (weight_decay_ * w);
  u.set(u.variable(), w - move(u) - decay);
}

}  // namespace gradus
