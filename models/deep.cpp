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

// "deep/W1" and "deep/b1" are the weights and the biases of layer 0.
std::string layer_name(char parameter, std::size_t layer) { return fmt::format("deep/{}{}", parameter, layer + 1); }

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

ParameterShapes DeepFactorizationMachineOptions::shapes(std::int64_t p) const {
  ParameterShapes out = fm.shapes(p);
  std::int64_t units = count_fields(deep_fm_model, field_of, p) * fm.factors;
  for (std::size_t layer = 0; layer < hidden.size(); ++layer) {
    out[layer_name('W', layer)] = {units, hidden[layer]};
    out[layer_name('b', layer)] = {hidden[layer]};
    units = hidden[layer];
  }
  out[layer_name('W', hidden.size())] = {units, 1};
  return out;
}

DeepFactorizationMachine::DeepFactorizationMachine(const Expr& X, const Expr& y,
                                                   const DeepFactorizationMachineOptions& options, Location where)
    : fm(X, y, checked(X, y, options), where) {
  const std::int64_t k = options.fm.factors;
  const std::int64_t fields = count_fields(deep_fm_model, options.field_of, X.shape()[1]);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);

  embeddings = reshape(matmul(split_rows(X, options.field_of, fields), fm.V), {any, fields * k});  // [n, fields k]
  const ParameterShapes shape = options.shapes(X.shape()[1]);
  const auto add_layer = [&](const Expr& in) {
    const std::string name = layer_name('W', weights.size());
    const NormalOptions he{
        .stddev = std::sqrt(2.0 / static_cast<double>(in.shape()[1])), .seed = options.fm.seed, .dtype = X.dtype()};
    weights.push_back(g.variable(name, random_normal(shape.at(name), he)));  // [in, units]
    return matmul(in, weights.back());                                       // [n, units]
  };
  Expr layer = embeddings;  // [n, units]
  while (biases.size() < options.hidden.size()) {
    const Expr product = add_layer(layer);  // [n, units]
    const std::string name = layer_name('b', biases.size());
    biases.push_back(g.variable(name, zeros(shape.at(name), X.dtype())));  // [units]
    layer = relu(product + biases.back());                                 // [n, units]
  }
  deep = add_layer(layer);                                  // [n, 1]
  y_hat = fm.y_hat + deep;                                  // [n, 1]
  prediction = gradus::prediction(options.fm.task, y_hat);  // [n, 1]

  error = mean_error(options.fm.task, y, y_hat, options.fm.weight);  // []
  penalty = fm.penalty;                                              // []
  loss = error + penalty;                                            // []
}

}  // namespace gradus
