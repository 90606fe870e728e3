// Adagrad: steps shrink with the root of the sum of all squared gradients so far.
// Duchi, Hazan, Singer: Adaptive Subgradient Methods for Online Learning and Stochastic Optimization (2011).
#include <gradus/optim/update.h>

namespace gradus {

Adagrad::Adagrad(Operand rate, const AdagradOptions& options)
    : Optimizer("Adagrad", std::move(rate)), options_(options) {
  require("initial_accumulator", options.initial_accumulator, Range::above_0);
}

void Adagrad::update(Update& u) const {
  const Expr accumulator = u.slot("accumulator", options_.initial_accumulator);
  const Expr a = u.set(accumulator, u.old(accumulator) + square(u.g()));
  u.set(u.variable(), u.old(u.variable()) - u.rate() * u.g() / sqrt(a));
}

}  // namespace gradus
