#include <gradus/models/polynomial.h>

#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

namespace gradus {

PolynomialRegression::PolynomialRegression(const Expr& X, const Expr& y, const PolynomialRegressionOptions& options,
                                           Location where) {
  const std::int64_t p = design_columns("PolynomialRegression", X, y);
  check_l2("PolynomialRegression", "l2_w0", options.l2_w0);
  check_l2("PolynomialRegression", "l2_W", options.l2_W);
  check_l2("PolynomialRegression", "l2_W2", options.l2_W2);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);

  w0 = g.variable("w0", zeros({1}, X.dtype()));     // [1]
  W = g.variable("W", zeros({p}, X.dtype()));       // [p]
  W2 = g.variable("W2", zeros({p, p}, X.dtype()));  // [p, p]

  const Expr position = range(g, 0, static_cast<double>(p), 1, int64);  // [p]
  const Expr i_less_than_j = less(expand_dims(position, 1), position);  // [p, p]
  const Expr pairs = mask(i_less_than_j, W2);                           // [p, p]
  linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);                  // [n, 1]
  interactions = reduce_sum(matmul(X, pairs) * X, 1, keep_dims);        // [n, 1]
  y_hat = linear_terms + interactions;                                  // [n, 1]
  prediction = gradus::prediction(options.task, y_hat);                 // [n, 1]

  error = mean_error(options.task, y, y_hat);  // []
  penalty = sum_of_penalties(
      X, {l2_penalty(options.l2_w0, w0), l2_penalty(options.l2_W, W), l2_penalty(options.l2_W2, W2)});  // []
  loss = error + penalty;                                                                               // []
}

}  // namespace gradus
