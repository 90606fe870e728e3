// Adadelta: steps in the variable's own units, the root mean square of recent steps over that of recent gradients.
// Zeiler: ADADELTA: An Adaptive Learning Rate Method (2012), algorithm 1.
#include <gradus/optim/update.h>

namespace gradus {

Adadelta::Adadelta(Operand rate, const AdadeltaOptions& options)
    : Optimizer("Adadelta", std::move(rate)), options_(options) {
  require("rho", options.rho, Range::fraction);
  require("epsilon", options.epsilon, Range::above_0);
}

void Adadelta::update(Update& u) const {
  const auto& [rho, epsilon] = options_;
  const Expr accum = u.slot("accum", 0), accum_update = u.slot("accum_update", 0);
  const Expr steps = u.old(accum_update);
  const Expr a = u.set(accum, rho * u.old(accum) + (1 - rho) * square(u.g()));
  const Expr d = sqrt(steps + epsilon) / sqrt(a + epsilon) * u.g();
  u.set(accum_update, rho * steps + (1 - rho) * square(d));
  u.set(u.variable(), u.old(u.variable()) - u.rate() * d);
}

}  // namespace gradus
