#include <gradus/models/model.h>

#include <gradus/core/error.h>
#include <gradus/models/deep.h>
#include <gradus/models/field_aware.h>
#include <gradus/models/higher_order.h>
#include <gradus/models/linear.h>
#include <gradus/models/multiclass.h>
#include <gradus/ops/ops.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace gradus {

namespace {

constexpr std::array kinds = {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware,
                              ModelKind::deep};

// What every model has.
template <class M>
void take_outputs(Model& model, const M& made) {
  model.y_hat = made.y_hat;
  model.prediction = made.prediction;
  model.error = made.error;
  model.penalty = made.penalty;
  model.loss = made.loss;
}

// The options of each model; `weight` is no expression where all rows count alike.
LinearRegressionOptions linear_options(const ModelOptions& o, const Expr& weight) {
  return {.task = o.task,
          .l2_w0 = o.l2_w0,
          .l2_W = o.l2_W,
          .l2_over = o.l2_over,
          .weight = weight,
          .relations = o.relations};
}

FactorizationMachineOptions fm_options(const ModelOptions& o, const Expr& weight) {
  return {.factors = o.factors,
          .init_stddev = o.init_stddev,
          .seed = o.seed,
          .task = o.task,
          .l2_w0 = o.l2_w0,
          .l2_W = o.l2_W,
          .l2_V = o.l2_V,
          .l2_over = o.l2_over,
          .weight = weight,
          .relations = o.relations};
}

HigherOrderFactorizationMachineOptions higher_order_options(const ModelOptions& o, const Expr& weight) {
  return {.order = o.order,
          .factors = o.factors,
          .init_stddev = o.init_stddev,
          .seed = o.seed,
          .task = o.task,
          .l2_w0 = o.l2_w0,
          .l2_W = o.l2_W,
          .l2_V = o.l2_V,
          .l2_over = o.l2_over,
          .weight = weight};
}

FieldAwareFactorizationMachineOptions field_aware_options(const ModelOptions& o, const Expr& weight) {
  return {.field_of = o.field_of,
          .factors = o.factors,
          .init_stddev = o.init_stddev,
          .seed = o.seed,
          .task = o.task,
          .l2_w0 = o.l2_w0,
          .l2_W = o.l2_W,
          .l2_V = o.l2_V,
          .l2_over = o.l2_over,
          .weight = weight};
}

DeepFactorizationMachineOptions deep_options(const ModelOptions& o, const Expr& weight) {
  return {.fm = fm_options(o, weight), .field_of = o.field_of, .hidden = o.hidden};
}

MulticlassFactorizationMachineOptions multiclass_options(const ModelOptions& o, const Expr& weight) {
  return {.classes = o.classes,
          .factors = o.kind == ModelKind::linear ? 0 : o.factors,
          .init_stddev = o.init_stddev,
          .seed = o.seed,
          .l2_w0 = o.l2_w0,
          .l2_W = o.l2_W,
          .l2_V = o.l2_V,
          .l2_over = o.l2_over,
          .weight = weight,
          .relations = o.relations};
}

void add_linear(Model& model, const Expr& y, const ModelOptions& options) {
  const LinearRegression made(model.X, y, linear_options(options, model.weight));
  take_outputs(model, made);
  model.parameters = {made.w0, made.W};
}

void add_fm(Model& model, const Expr& y, const ModelOptions& options) {
  const FactorizationMachine made(model.X, y, fm_options(options, model.weight));
  take_outputs(model, made);
  model.parameters = {made.w0, made.W, made.V};
}

void add_higher_order(Model& model, const Expr& y, const ModelOptions& options) {
  const HigherOrderFactorizationMachine made(model.X, y, higher_order_options(options, model.weight));
  take_outputs(model, made);
  model.parameters = {made.w0, made.W};
  model.parameters.insert(model.parameters.end(), made.V.begin(), made.V.end());
}

void add_field_aware(Model& model, const Expr& y, const ModelOptions& options) {
  const FieldAwareFactorizationMachine made(model.X, y, field_aware_options(options, model.weight));
  take_outputs(model, made);
  model.parameters = {made.w0, made.W, made.V};
}

void add_deep(Model& model, const Expr& y, const ModelOptions& options) {
  const DeepFactorizationMachine made(model.X, y, deep_options(options, model.weight));
  take_outputs(model, made);
  model.parameters = {made.fm.w0, made.fm.W, made.fm.V};
  model.parameters.insert(model.parameters.end(), made.weights.begin(), made.weights.end());
  model.parameters.insert(model.parameters.end(), made.biases.begin(), made.biases.end());
}

void add_multiclass(Model& model, const ModelOptions& options) {
  if (options.kind != ModelKind::linear && options.kind != ModelKind::fm)
    fail<ValueError>("make_model: a multiclass task is given with a {} model; linear and fm can do that",
                     to_string(options.kind));
  const MulticlassFactorizationMachine made(model.X, model.y, multiclass_options(options, model.weight));
  take_outputs(model, made);
  model.parameters = {made.w0, made.W};
  if (made.V.valid()) model.parameters.push_back(made.V);
}

// The penalty anew, with lambdas of features.
void penalize_features(Model& model, const ModelOptions& options) {
  const Design rows(model.X, options.relations);
  const std::int64_t p = rows.features();
  if (std::ssize(options.l2_features) != p)
    fail<ValueError>("make_model: l2_features has {} entries but there are {} features", options.l2_features.size(), p);
  std::vector<FeaturePenalty> of_features;
  for (const Expr& parameter : model.parameters) {
    if (parameter.shape()[0] != p || parameter.name().starts_with("deep/")) continue;
    std::vector<double> lambda = options.l2_features;
    for (double& each : lambda)
      if (each < 0) each = parameter.name() == "W" ? options.l2_W : options.l2_V;
    for (const double each : lambda) check_l2("make_model", "l2_features", each);
    const Tensor all = Tensor::from(lambda).cast(options.dtype);  // [p]
    of_features.push_back(
        {model.X.graph().constant(parameter.rank() == 1 ? all : all.reshape({p, 1})), parameter});  // [p] or [p, 1]
  }
  model.penalty = sum_of_penalties(model.X, {l2_penalty(options.l2_w0, model.parameters.front()),
                                             l2_penalty(rows, of_features, options.l2_over, model.weight)});  // []
  model.loss = model.error + model.penalty;                                                                   // []
}

// The penalty with what all features pay besides.
void penalize_all(Model& model, const ModelOptions& options) {
  check_l2("make_model", "l2_all_W", options.l2_all_W);
  check_l2("make_model", "l2_all_V", options.l2_all_V);
  for (const Expr& parameter : model.parameters) {
    const bool is_V = parameter.name().starts_with("V");
    if (!is_V && parameter.name() != "W") continue;
    model.penalty =
        sum_of_penalties(model.X, {model.penalty, l2_penalty(is_V ? options.l2_all_V : options.l2_all_W, parameter)});
  }
  model.loss = model.error + model.penalty;  // []
}

// Phi(x) = (1 + erf(x / sqrt(2))) / 2, where its tail is too small for a float 0.   [n, 1] -> [n, 1]
Expr normal_distribution(const Expr& x) { return 0.5 + 0.5 * erf(x * std::numbers::sqrt2 / 2); }

// The prediction and the error anew, of a binary task whose y is the sign of y_hat and normal noise.
void make_probit(Model& model) {
  constexpr double least = std::numeric_limits<float>::min();                            // a logarithm's
  model.prediction = normal_distribution(model.y_hat);                                   // [n, 1]
  const Expr of_row = -log(maximum(normal_distribution(model.y * model.y_hat), least));  // [n, 1]
  model.error = mean_of_rows(of_row, model.weight);                                      // []
  model.loss = model.error + model.penalty;                                              // []
}

}  // namespace

std::string_view to_string(ModelKind kind) {
  switch (kind) {
    case ModelKind::linear: return "linear";
    case ModelKind::fm: return "fm";
    case ModelKind::higher_order: return "higher-order";
    case ModelKind::field_aware: return "field-aware";
    case ModelKind::deep: return "deep";
  }
  return "";
}

ModelKind model_kind_named(std::string_view name) {
  for (const ModelKind kind : kinds)
    if (to_string(kind) == name) return kind;
  fail<ValueError>("model: \"{}\" is given; linear, fm, higher-order, field-aware or deep is expected", name);
}

bool goes_by_fields(ModelKind kind) { return kind == ModelKind::field_aware || kind == ModelKind::deep; }

Model make_model(Graph& g, std::int64_t p, const ModelOptions& options, bool weighted, Location where) {
  if (!std::isfinite(options.target.mean) || !std::isfinite(options.target.deviation) || options.target.deviation <= 0)
    fail<ValueError>(
        "make_model: targets of mean {} and deviation {} are given; finite ones and a deviation above 0 are "
        "expected",
        options.target.mean, options.target.deviation);
  if (p < 1 || p > max_sparse_dimension)
    fail<ValueError>("make_model: {} features are given; 1 to {} are expected", p, max_sparse_dimension);
  if (options.relations.rank() == 2 && options.kind != ModelKind::linear && options.kind != ModelKind::fm)
    fail<ValueError>("make_model: relations are given with a {} model; linear and fm can have them",
                     to_string(options.kind));
  const Graph::Pin pin = g.pin(where);
  Model model;
  model.X = g.sparse_placeholder("X", {any, p}, options.dtype);                   // [n, p]
  model.y = g.placeholder("y", {any, 1}, options.dtype);                          // [n, 1]
  if (weighted) model.weight = g.placeholder("weight", {any, 1}, options.dtype);  // [n, 1]
  const auto& [mean, deviation] = options.target;
  const bool scaled = options.task == Task::regression && (mean != 0 || deviation != 1);
  if (options.task == Task::multiclass) {
    add_multiclass(model, options);
    if (!options.l2_features.empty()) penalize_features(model, options);
    if (options.l2_all_W != 0 || options.l2_all_V != 0) penalize_all(model, options);
    return model;
  }
  const Expr y = scaled ? (model.y - mean) / deviation : model.y;  // [n, 1]
  switch (options.kind) {
    case ModelKind::linear: add_linear(model, y, options); break;
    case ModelKind::fm: add_fm(model, y, options); break;
    case ModelKind::higher_order: add_higher_order(model, y, options); break;
    case ModelKind::field_aware: add_field_aware(model, y, options); break;
    case ModelKind::deep: add_deep(model, y, options); break;
  }
  if (options.probit) {
    if (options.task != Task::binary)
      fail<ValueError>("make_model: probit is given with a {} task; binary is expected", to_string(options.task));
    make_probit(model);
  }
  if (!options.l2_features.empty()) penalize_features(model, options);
  if (options.l2_all_W != 0 || options.l2_all_V != 0) penalize_all(model, options);
  if (scaled) model.prediction = mean + deviation * model.prediction;  // [n, 1]
  return model;
}

ParameterShapes parameter_shapes(std::int64_t p, const ModelOptions& options) {
  if (options.task == Task::multiclass) return multiclass_options(options, {}).shapes(p);
  switch (options.kind) {
    case ModelKind::linear: return linear_options(options, {}).shapes(p);
    case ModelKind::fm: return fm_options(options, {}).shapes(p);
    case ModelKind::higher_order: return higher_order_options(options, {}).shapes(p);
    case ModelKind::field_aware: return field_aware_options(options, {}).shapes(p);
    case ModelKind::deep: return deep_options(options, {}).shapes(p);
  }
  return {};
}

}  // namespace gradus
