#include <gradus/optim/update.h>

namespace gradus {

Adagrad::Adagrad(Operand rate, const AdagradOptions& options) : Optimizer(std::move(rate)), options_(options) {}

void Adagrad::update(Update& u) const {
  const Expr accumulator = u.slot("accumulator", options_.initial_accumulator);
  const Expr a = u.set(accumulator, u.old(accumulator) + square(u.g()));
  u.set(u.variable(), u.old(u.variable()) - u.rate() * u.g() / sqrt(a));
}

}  // namespace gradus
