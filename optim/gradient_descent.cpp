#include <gradus/optim/update.h>

namespace gradus {

void GradientDescent::update(Update& u) const { u.set(u.variable(), u.old(u.variable()) - u.rate() * u.g()); }

}  // namespace gradus
