#include <gradus/models/deep.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/field_aware.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <cmath>

namespace gradus {

namespace {

constexpr std::string_view deep_fm_model = "DeepFactorizationMachine";

// Checked before the machine makes its variables.
const FactorizationMachineOptions& checked(const Expr& X, const Expr& y,
                                           const DeepFactorizationMachineOptions& options) {
  count_fields(deep_fm_model, options.field_of, design_columns(deep_fm_model, X, y));
  for (std::size_t layer = 0; layer < options.hidden.size(); ++layer)
    if (options.hidden[layer] < 1)
      fail<ValueError>("{}: hidden[{}] is {}; 1 or more units are expected", deep_fm_model, layer,
                       options.hidden[layer]);
  return options.fm;
}

}  // namespace

DeepFactorizationMachine::DeepFactorizationMachine(const Expr& X, const Expr& y,
                                                   const DeepFactorizationMachineOptions& options, Location where)
    : fm(X, y, checked(X, y, options), where) {
  const std::int64_t k = options.fm.factors;
  const std::int64_t fields = count_fields(deep_fm_model, options.field_of, X.shape()[1]);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);

  embeddings = reshape(matmul(split_rows(X, options.field_of, fields), fm.V), {any, fields * k});  // [n, fields k]
  const auto add_layer = [&](const Expr& in, std::int64_t units) {
    const NormalOptions he{
        .stddev = std::sqrt(2.0 / static_cast<double>(in.shape()[1])), .seed = options.fm.seed, .dtype = X.dtype()};
    weights.push_back(
        g.variable(fmt::format("deep/W{}", weights.size() + 1), random_normal({in.shape()[1], units}, he)));
    return matmul(in, weights.back());  // [n, units]
  };
  Expr layer = embeddings;  // [n, units]
  for (const std::int64_t units : options.hidden) {
    const Expr product = add_layer(layer, units);                                                         // [n, units]
    biases.push_back(g.variable(fmt::format("deep/b{}", biases.size() + 1), zeros({units}, X.dtype())));  // [units]
    layer = relu(product + biases.back());                                                                // [n, units]
  }
  deep = add_layer(layer, 1);                               // [n, 1]
  y_hat = fm.y_hat + deep;                                  // [n, 1]
  prediction = gradus::prediction(options.fm.task, y_hat);  // [n, 1]

  error = mean_error(options.fm.task, y, y_hat, options.fm.weight);  // []
  penalty = fm.penalty;                                              // []
  loss = error + penalty;                                            // []
}

}  // namespace gradus
