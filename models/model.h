// A model by its options, with the placeholders that it is fed through: what a program that trains any of them needs.
//
//   Graph g;
//   const Model model = make_model(g, p, {.kind = ModelKind::fm, .factors = 20});
//   const Expr train = Adagrad(0.05).minimize(model.loss);
//   session.run(train, {{model.X, batch.x}, {model.y, batch.y}});
//
// From here on: Trainer (training/trainer.h) makes such a model and trains it on rows, save_model and load_model
// (training/model_file.h) keep it, Predictor (training/predictor.h) and Recommender tell with it; load_training_set
// (training/training_set.h) makes the rows of people's files. What is not to be chosen here is in the models' own
// headers.
#pragma once

#include <gradus/core/tensor/sparse.h>
#include <gradus/models/task.h>

#include <string_view>
#include <vector>

namespace gradus {

enum class ModelKind : std::uint8_t {
  linear,        // LinearRegression
  fm,            // FactorizationMachine
  higher_order,  // HigherOrderFactorizationMachine
  field_aware,   // FieldAwareFactorizationMachine
  deep,          // DeepFactorizationMachine
};

/// "linear", "fm", "higher-order", "field-aware" or "deep".
std::string_view to_string(ModelKind kind);
/// Throws ValueError for a name that is none of these.
ModelKind model_kind_named(std::string_view name);
/// Whether a model of the kind depends on the fields of features.
bool goes_by_fields(ModelKind kind);

/// What brings targets to mean 0 and deviation 1.
struct TargetScale {
  double mean = 0, deviation = 1;
};

struct ModelOptions {
  ModelKind kind = ModelKind::fm;
  Task task = Task::regression;
  std::int64_t factors = 8;                     // k
  int order = 3;                                // of higher_order: 2 to 5
  std::vector<std::int64_t> hidden = {64, 32};  // of deep: the widths of the hidden layers
  /// Of field_aware and deep: the field of each feature, from 0; -1 for none, as in Columns::field.   [p]
  std::vector<Index> field_of = {};
  double init_stddev = 0.01;
  std::uint64_t seed = 0;
  double l2_w0 = 0;
  double l2_W = 0;
  double l2_V = 0;
  /// The penalty of each feature's own parameters in place of l2_W and l2_V; -1 where these hold. Empty: everywhere.
  /// [p]
  std::vector<double> l2_features = {};
  std::int64_t classes = 2;      // of a multiclass task, which linear and fm can do
  L2Over l2_over = L2Over::all;  // what l2_W and l2_V reach
  double l2_all_W = 0;           // beside these, of all features, whatever they reach
  double l2_all_V = 0;
  /// Of a binary task: P(y = 1) is Phi(y_hat), the distribution function of a standard normal, and not sigma(y_hat).
  bool probit = false;
  /// Of regression: what y_hat tells is (y - mean) / deviation, and the error is that of it.
  TargetScale target = {};
  /// Of linear and fm, csr [p, q]: what rows have by way of their columns (relations.h), so that W is [p + q], V
  /// [p + q, k], and l2_features [p + q]; [0]: nothing.
  Tensor relations = {};
  DType dtype = float32;  // or float64
};

struct Model {
  Expr X;                        // csr placeholder [n, p]
  Expr y;                        // placeholder [n, 1]
  Expr weight;                   // placeholder [n, 1]; no expression where all rows count alike
  Expr y_hat;                    // [n, 1]; [n, classes] of a multiclass task
  Expr prediction;               // likewise, in the units of y
  Expr error;                    // []
  Expr penalty;                  // []
  Expr loss;                     // []
  std::vector<Expr> parameters;  // w0, W, V, ...
};

/// Throws ValueError for options out of range.
Model make_model(Graph& g, std::int64_t p, const ModelOptions& options = {}, bool weighted = false,
                 Location where = Location::current());

/// The parameters that make_model would make over p features, those of relations among them, by name, without making
/// anything: of what files say, which may be anything. Throws ValueError as it does for fields.
ParameterShapes parameter_shapes(std::int64_t p, const ModelOptions& options);

}  // namespace gradus
