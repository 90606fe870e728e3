// Exercise 11: an optimizer of your own.
//
// mean = 0.9 mean + 0.1 g;  w -= rate * sign(mean). The mean starts at 0. (Bernstein and others, "signSGD", ICML 2018.)
// It must work where the gradient holds some rows of a table alone: other rows stay as they are.
#include <gradus/gradus.h>
#include <gradus/optim/update.h>

#include "unsolved.h"
using namespace gradus;

namespace exercise {

class Signum final : public Optimizer {
 public:
  explicit Signum(Operand rate) : Optimizer("Signum", std::move(rate)) {}

 private:
  // Sets a slot called "mean", and the variable.
  void update(Update& u) const override { todo<int>("update", u); }
};

}  // namespace exercise
