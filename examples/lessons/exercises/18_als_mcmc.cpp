// Exercise 18: one factor, exactly.
//
// v is one factor of a feature i of a factorization machine, v_if. For each row n that holds the feature you are given
//   x[n]  the feature's value in the row,
//   q[n]  the sum of v_jf x_nj over all features j of the row, i too,
//   e[n]  y_hat - y, as it is with this v.
#include <vector>

#include "unsolved.h"

namespace exercise {

// Returns the value in place of v at which the sum of (y_hat - y)^2 over the rows, plus lambda v^2, is least.
inline double best_factor(double v, const std::vector<double>& x, const std::vector<double>& q,
                          const std::vector<double>& e, double lambda) {
  return todo<double>("best_factor", v, x, q, e, lambda);
}

}  // namespace exercise
