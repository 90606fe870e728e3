#include <gradus/models/field_aware.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <algorithm>

namespace gradus {

namespace {

constexpr std::string_view ffm_model = "FieldAwareFactorizationMachine";

// 1 where a number of V belongs to the feature's own field, else 0.   [p, fields k]
Tensor own_field(const std::vector<Index>& field_of, std::int64_t fields, std::int64_t k, DType dtype) {
  const auto p = static_cast<std::int64_t>(field_of.size());
  const Tensor own = Tensor::make<float>({p, fields * k}, [&](std::span<float> out) {
    std::fill(out.begin(), out.end(), 0.0F);
    for (std::int64_t i = 0; i < p; ++i)
      if (const std::int64_t field = field_of[static_cast<std::size_t>(i)]; field >= 0)
        std::fill_n(out.begin() + (i * fields + field) * k, k, 1.0F);
  });
  return own.cast(dtype);
}

}  // namespace

std::int64_t count_fields(std::string_view name, const std::vector<Index>& field_of, std::int64_t p) {
  if (static_cast<std::int64_t>(field_of.size()) != p)
    fail<ValueError>("{}: field_of has {} entries but X has {} features", name, field_of.size(), p);
  std::int64_t fields = 0;
  for (std::size_t i = 0; i < field_of.size(); ++i) {
    if (field_of[i] < -1)
      fail<ValueError>("{}: field_of[{}] is {}; a field from 0 is expected, or -1 for none", name, i, field_of[i]);
    fields = std::max<std::int64_t>(fields, field_of[i] + std::int64_t{1});
  }
  if (fields == 0) fail<ValueError>("{}: no feature has a field", name);
  return fields;
}

ParameterShapes FieldAwareFactorizationMachineOptions::shapes(std::int64_t p) const {
  return {{"w0", {1}}, {"W", {p}}, {"V", {p, count_fields(ffm_model, field_of, p) * factors}}};
}

FieldAwareFactorizationMachine::FieldAwareFactorizationMachine(const Expr& X, const Expr& y,
                                                               const FieldAwareFactorizationMachineOptions& options,
                                                               Location where) {
  const std::int64_t p = design_columns(ffm_model, X, y);
  check_weight(ffm_model, X, options.weight);
  const std::int64_t fields = count_fields(ffm_model, options.field_of, p);
  check_factors(ffm_model, options.factors, options.init_stddev);
  check_l2(ffm_model, "l2_w0", options.l2_w0);
  check_l2(ffm_model, "l2_W", options.l2_W);
  check_l2(ffm_model, "l2_V", options.l2_V);
  const std::int64_t k = options.factors;
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);
  const NormalOptions normal{.stddev = options.init_stddev, .seed = options.seed, .dtype = X.dtype()};

  const ParameterShapes shape = options.shapes(p);
  w0 = g.variable("w0", zeros(shape.at("w0"), X.dtype()));    // [1]
  W = g.variable("W", Filled{shape.at("W"), 0, X.dtype()});   // [p]
  V = g.variable("V", random_normal(shape.at("V"), normal));  // [p, fields k]

  linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);  // [n, 1]

  const Expr S = reshape(matmul(split_rows(X, options.field_of, fields), V), {any, fields, fields, k});
  const Expr pairs =
      reduce_sum(reshape(S * transpose(S, {0, 2, 1, 3}), {any, fields * fields * k}), 1, keep_dims);  // [n, 1]
  const Expr own = g.constant(own_field(options.field_of, fields, k, X.dtype()));                     // [p, fields k]
  const Expr with_itself = reduce_sum(matmul(square(X), square(V) * own), 1, keep_dims);              // [n, 1]
  interactions = 0.5 * (pairs - with_itself);                                                         // [n, 1]
  y_hat = linear_terms + interactions;                                                                // [n, 1]
  prediction = gradus::prediction(options.task, y_hat);                                               // [n, 1]

  error = mean_error(options.task, y, y_hat, options.weight);  // []
  const Expr of_features =
      l2_penalty(X, {{options.l2_W, W}, {options.l2_V, V}}, options.l2_over, options.weight);  // []
  penalty = sum_of_penalties(X, {l2_penalty(options.l2_w0, w0), of_features});                 // []
  loss = error + penalty;                                                                      // []
}

}  // namespace gradus
