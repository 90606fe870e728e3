// Polynomial regression of order 2:  y_hat = w0 + sum_i w_i x_i + sum_{i<j} w_ij x_i x_j  with a weight of its own for
// every pair of features, w_ij = W2[i, j]. It is what a factorization machine replaces: p^2 parameters, of which a pair
// that never occurs together learns nothing, and n p^2 multiplications a step with an intermediate [n, p] — also for a
// csr X, whose product with W2 is dense: n p numbers and p multiplications for every non-zero.
#pragma once

#include <gradus/models/task.h>

namespace gradus {

struct PolynomialRegressionOptions {
  Task task = Task::regression;
  double l2_w0 = 0;  // the penalty is l2_w0 w0^2 + l2_W sum(W^2) + l2_W2 sum(W2^2)
  double l2_W = 0;
  double l2_W2 = 0;
};

struct PolynomialRegression {
  /// X [n, p] dense or csr, y [n, 1]; n may be unknown. All parameters start from zero (the error is convex in them).
  /// Throws TypeError for other shapes, ValueError for options out of range.
  PolynomialRegression(const Expr& X, const Expr& y, const PolynomialRegressionOptions& options = {},
                       Location where = Location::current());

  Expr w0;            // [1]
  Expr W;             // [p]
  Expr W2;            // [p, p]: only what is above the diagonal counts; the rest stays zero
  Expr linear_terms;  // [n, 1]
  Expr interactions;  // [n, 1]
  Expr y_hat;         // [n, 1]
  Expr prediction;    // [n, 1]: y_hat; for binary tasks sigma(y_hat)
  Expr error;         // []: the mean error of the rows
  Expr penalty;       // []: L2
  Expr loss;          // []: error + penalty
};

}  // namespace gradus
