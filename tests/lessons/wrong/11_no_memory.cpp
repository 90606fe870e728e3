// Promised: is the mean kept from step to step?
#include <gradus/gradus.h>
#include <gradus/optim/update.h>

using namespace gradus;

namespace exercise {

class Signum final : public Optimizer {
 public:
  explicit Signum(Operand rate) : Optimizer("Signum", std::move(rate)) {}

 private:
  void update(Update& u) const override {
    const Expr slot = u.slot("mean", 0);
    const Expr mean = 0.9 * u.old(slot) + 0.1 * u.g();
    u.set(u.variable(), u.old(u.variable()) - u.rate() * sign(mean));
  }
};

}  // namespace exercise
