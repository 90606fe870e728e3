// Linear regression:  y_hat = w0 + sum_i w_i x_i.  The first half of the article's model; logistic regression as a
// binary task. Its parts are expressions to read, fetch and build on.
#pragma once

#include <gradus/models/task.h>

namespace gradus {

struct LinearRegressionOptions {
  Task task = Task::regression;
  double l2_w0 = 0;  // the penalty is l2_w0 w0^2 + l2_W sum(W^2)
  double l2_W = 0;
  L2Over l2_over = L2Over::all;  // what l2_W reaches
  Expr weight = {};              // [n, 1]: how much each row counts; no expression: all alike
  Tensor relations = {};         // csr [columns of X, q]: what rows have by way of X (relations.h); [0]: nothing

  /// Of the parameters over p features.
  ParameterShapes shapes(std::int64_t p) const;
};

struct LinearRegression {
  /// X [n, p] dense or csr, y [n, 1]; n may be unknown. With relations p counts these too: X is [n, p - q]. All
  /// parameters start from zero. Throws TypeError for other shapes, ValueError for options out of range.
  LinearRegression(const Expr& X, const Expr& y, const LinearRegressionOptions& options = {},
                   Location where = Location::current());

  Expr w0;          // [1]
  Expr W;           // [p]
  Expr y_hat;       // [n, 1]
  Expr prediction;  // [n, 1]: y_hat; for binary tasks sigma(y_hat)
  Expr error;       // []: the mean error of the rows
  Expr penalty;     // []: L2
  Expr loss;        // []: error + penalty
};

}  // namespace gradus
