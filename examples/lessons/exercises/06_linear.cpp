// Exercise 6: ridge regression.
//
// The loss is mean_i (y_i - sum_j x_ij w_j)^2 + lambda sum_j w_j^2. Derive its gradient by w with the chain rule.
#include <cstddef>
#include <vector>

#include "unsolved.h"

namespace exercise {

using Matrix = std::vector<std::vector<double>>;

// Returns d loss / d w_j for every j. x has a row for each example, and w as many values as a row.
inline std::vector<double> ridge_gradient(const Matrix& x, const std::vector<double>& y, const std::vector<double>& w,
                                          double lambda) {
  return todo<std::vector<double>>("ridge_gradient", x, y, w, lambda);
}

}  // namespace exercise
