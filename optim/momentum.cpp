// Gradient descent with momentum: the step is a decaying sum of all gradients so far. Nesterov's form takes the
// gradient of this step at full weight and the momentum as it will be after it.
// Polyak: Some methods of speeding up the convergence of iteration methods (1964); Sutskever, Martens, Dahl, Hinton:
// On the importance of initialization and momentum in deep learning (2013).
#include <gradus/optim/update.h>

namespace gradus {

Momentum::Momentum(Operand rate, const MomentumOptions& options)
    : Optimizer("Momentum", std::move(rate)), options_(options) {
  require("momentum", options.momentum, Range::fraction);
}

void Momentum::update(Update& u) const {
  const Expr momentum = u.slot("momentum", 0);
  const Expr m = u.set(momentum, options_.momentum * u.old(momentum) + u.g());
  const Expr direction = options_.use_nesterov ? u.g() + options_.momentum * m : m;
  u.set(u.variable(), u.old(u.variable()) - u.rate() * direction);
}

}  // namespace gradus
