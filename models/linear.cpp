#include <gradus/models/linear.h>

#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

namespace gradus {

ParameterShapes LinearRegressionOptions::shapes(std::int64_t p) const { return {{"w0", {1}}, {"W", {p}}}; }

LinearRegression::LinearRegression(const Expr& X, const Expr& y, const LinearRegressionOptions& options,
                                   Location where) {
  design_columns("LinearRegression", X, y);
  check_weight("LinearRegression", X, options.weight);
  check_l2("LinearRegression", "l2_w0", options.l2_w0);
  check_l2("LinearRegression", "l2_W", options.l2_W);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);
  const Design rows(X, options.relations);

  const ParameterShapes shape = options.shapes(rows.features());
  w0 = g.variable("w0", zeros(shape.at("w0"), X.dtype()));        // [1]
  W = g.variable("W", Filled{shape.at("W"), 0, X.dtype()});       // [p]
  y_hat = w0 + reduce_sum(rows.of_columns(W) * X, 1, keep_dims);  // [n, 1]
  prediction = gradus::prediction(options.task, y_hat);           // [n, 1]

  error = mean_error(options.task, y, y_hat, options.weight);  // []
  penalty = sum_of_penalties(X, {l2_penalty(options.l2_w0, w0),
                                 l2_penalty(rows, {{options.l2_W, W}}, options.l2_over, options.weight)});  // []
  loss = error + penalty;                                                                                   // []
}

}  // namespace gradus
