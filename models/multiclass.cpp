#include <gradus/models/multiclass.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <vector>

namespace gradus {

namespace {

constexpr std::string_view multiclass_model = "MulticlassFactorizationMachine";

}  // namespace

ParameterShapes MulticlassFactorizationMachineOptions::shapes(std::int64_t p) const {
  ParameterShapes out{{"w0", {classes}}, {"W", {p, classes}}};
  if (factors != 0) out["V"] = {p, classes * factors};
  return out;
}

MulticlassFactorizationMachine::MulticlassFactorizationMachine(const Expr& X, const Expr& y,
                                                               const MulticlassFactorizationMachineOptions& options,
                                                               Location where) {
  design_columns(multiclass_model, X, y);
  check_weight(multiclass_model, X, options.weight);
  const std::int64_t c = options.classes, k = options.factors;
  if (c < 2) fail<ValueError>("{}: classes is {}; 2 or more are expected", multiclass_model, c);
  if (k != 0) check_factors(multiclass_model, k, options.init_stddev);
  check_l2(multiclass_model, "l2_w0", options.l2_w0);
  check_l2(multiclass_model, "l2_W", options.l2_W);
  check_l2(multiclass_model, "l2_V", options.l2_V);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);
  const Design rows(X, options.relations);

  const ParameterShapes shape = options.shapes(rows.features());
  w0 = g.variable("w0", zeros(shape.at("w0"), X.dtype()));  // [c]
  W = g.variable("W", zeros(shape.at("W"), X.dtype()));     // [p, c]
  y_hat = w0 + matmul(X, rows.of_columns(W));               // [n, c]
  std::vector<FeaturePenalty> of_features{{options.l2_W, W}};
  if (k != 0) {
    const NormalOptions normal{.stddev = options.init_stddev, .seed = options.seed, .dtype = X.dtype()};
    V = g.variable("V", random_normal(shape.at("V"), normal));                          // [p, c k]
    const Expr square_of_sum = square(matmul(X, rows.of_columns(V)));                   // [n, c k]
    const Expr sum_of_squares = matmul(square(X), rows.squares_of_columns(square(V)));  // [n, c k]
    const Expr pairs = reshape(square_of_sum - sum_of_squares, {any, c, k});            // [n, c, k]
    y_hat = y_hat + 0.5 * reduce_sum(pairs, 2);                                         // [n, c]
    of_features.push_back({options.l2_V, V});
  }
  prediction = gradus::prediction(Task::multiclass, y_hat);        // [n, c]
  error = mean_error(Task::multiclass, y, y_hat, options.weight);  // []
  penalty = sum_of_penalties(
      X, {l2_penalty(options.l2_w0, w0), l2_penalty(rows, of_features, options.l2_over, options.weight)});  // []
  loss = error + penalty;                                                                                   // []
}

}  // namespace gradus
