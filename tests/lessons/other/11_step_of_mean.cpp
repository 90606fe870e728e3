// The mean goes a tenth of the way to the gradient.
#include <gradus/gradus.h>
#include <gradus/optim/update.h>

using namespace gradus;

namespace exercise {

class Signum final : public Optimizer {
 public:
  explicit Signum(Operand rate) : Optimizer("Signum", std::move(rate)) {}

 private:
  void update(Update& u) const override {
    const Expr slot = u.slot("mean", 0), before = u.old(slot);
    const Expr mean = u.set(slot, before + 0.1 * (u.g() - before));
    u.set(u.variable(), u.old(u.variable()) - u.rate() * sign(mean));
  }
};

}  // namespace exercise
