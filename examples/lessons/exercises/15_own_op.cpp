// Exercise 15: an op of your own.
//
// soft_sign(x) = x / (1 + |x|), with derivative 1 / (1 + |x|)^2. It is 0 at 0, so a csr matrix may stay csr.
#include <gradus/gradus.h>
#include <gradus/ops/elementwise.h>

#include <cmath>

#include "unsolved.h"
using namespace gradus;

namespace exercise {

// A node that computes softsign of x, element by element.
inline Expr soft_sign(const Operand& x) { return todo<Expr>("soft_sign", x); }

}  // namespace exercise
