// RMSProp: the gradient over its recent root mean square or, centered, over its recent standard deviation.
// Tieleman and Hinton: Neural Networks for Machine Learning, lecture 6.5 (2012); Graves: Generating Sequences With
// Recurrent Neural Networks (2013), equations 38 to 41. TensorFlow starts the mean square at 1, not 0.
#include <gradus/optim/update.h>

namespace gradus {

RMSProp::RMSProp(Operand rate, const RMSPropOptions& options)
    : Optimizer("RMSProp", std::move(rate)), options_(options) {
  require("decay", options.decay, Range::fraction);
  require("momentum", options.momentum, Range::fraction);
  require("epsilon", options.epsilon, Range::at_least_0);
}

void RMSProp::update(Update& u) const {
  const double decay = options_.decay;
  const Expr rms = u.slot("rms", 1);
  Expr spread = u.set(rms, decay * u.old(rms) + (1 - decay) * square(u.g()));
  if (options_.centered) {
    const Expr mean = u.slot("mg", 0);
    spread = spread - square(u.set(mean, decay * u.old(mean) + (1 - decay) * u.g()));
  }
  Expr step = u.rate() * u.g() / sqrt(spread + options_.epsilon);
  if (options_.momentum > 0) {
    const Expr momentum = u.slot("momentum", 0);
    step = u.set(momentum, options_.momentum * u.old(momentum) + step);
  }
  u.set(u.variable(), u.old(u.variable()) - step);
}

}  // namespace gradus
