#include <gradus/models/factorization_machine.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

constexpr std::string_view fm_model = "FactorizationMachine";

void check_groups(const FactorizationMachineOptions& options, std::int64_t p) {
  const L2Groups& l2 = options.l2_groups;
  const auto check_count = [](std::string_view option, std::size_t count, std::size_t groups) {
    if (count != 0 && count != groups)
      fail<ValueError>("{}: {} has {} entries but l2_groups.group names {} group{}", fm_model, option, count, groups,
                       groups == 1 ? "" : "s");
  };
  if (!l2.group.empty() && static_cast<std::int64_t>(l2.group.size()) != p)
    fail<ValueError>("{}: l2_groups.group has {} entries but X has {} features", fm_model, l2.group.size(), p);
  std::size_t groups = 1;
  for (std::size_t i = 0; i < l2.group.size(); ++i) {
    if (l2.group[i] < 0 || l2.group[i] >= p)
      fail<ValueError>("{}: l2_groups.group[{}] is {}; a group from 0 to {} is expected", fm_model, i, l2.group[i],
                       p - 1);
    groups = std::max(groups, static_cast<std::size_t>(l2.group[i]) + 1);
  }
  check_count("l2_groups.W", l2.W.size(), groups);
  check_count("l2_groups.V", l2.V.size(), groups);
  if (!l2.W.empty() && options.l2_W != 0) fail<ValueError>("{}: l2_W and l2_groups.W are both given", fm_model);
  if (!l2.V.empty() && options.l2_V != 0) fail<ValueError>("{}: l2_V and l2_groups.V are both given", fm_model);
  for (std::size_t i = 0; i < l2.W.size(); ++i) check_l2(fm_model, fmt::format("l2_groups.W[{}]", i), l2.W[i]);
  for (std::size_t i = 0; i < l2.V.size(); ++i) {
    const std::size_t count = l2.V[i].size();
    if (count != 1 && static_cast<std::int64_t>(count) != options.factors)
      fail<ValueError>("{}: l2_groups.V[{}] has {} entries; 1 or {}, as there are factors, is expected", fm_model, i,
                       count, options.factors);
    if (count != l2.V[0].size())
      fail<ValueError>("{}: l2_groups.V[{}] has {} entries but l2_groups.V[0] has {}", fm_model, i, count,
                       l2.V[0].size());
    for (std::size_t f = 0; f < count; ++f) check_l2(fm_model, fmt::format("l2_groups.V[{}][{}]", i, f), l2.V[i][f]);
  }
}

void check(const FactorizationMachineOptions& options, std::int64_t p) {
  check_factors(fm_model, options.factors, options.init_stddev);
  check_l2(fm_model, "l2_w0", options.l2_w0);
  check_l2(fm_model, "l2_W", options.l2_W);
  check_l2(fm_model, "l2_V", options.l2_V);
  check_groups(options, p);
}

// What each feature's group says, as a row or a number that broadcasts over the parameter.
Expr of_features(const Tensor& of_groups, const std::vector<std::int64_t>& group, Graph& g) {
  const Expr by_group = g.constant(of_groups);                              // [groups] or [groups, k]
  return group.empty() ? by_group : gather(by_group, Tensor::from(group));  // [p] or [p, k]
}

// The lambdas of W, as broadcast over it.
Operand lambda_of_W(const FactorizationMachineOptions& options, const Expr& W) {
  const L2Groups& l2 = options.l2_groups;
  if (l2.W.empty()) return options.l2_W;
  return of_features(Tensor::from(l2.W).cast(W.dtype()), l2.group, W.graph());  // [p] or [1]
}

Operand lambda_of_V(const FactorizationMachineOptions& options, const Expr& V) {
  const L2Groups& l2 = options.l2_groups;
  if (l2.V.empty()) return options.l2_V;
  std::vector<double> all;
  for (const auto& of_group : l2.V) all.insert(all.end(), of_group.begin(), of_group.end());
  const Shape shape{static_cast<std::int64_t>(l2.V.size()), static_cast<std::int64_t>(l2.V[0].size())};
  return of_features(Tensor::from(all, shape).cast(V.dtype()), l2.group, V.graph());  // [p or 1, k or 1]
}

}  // namespace

ParameterShapes FactorizationMachineOptions::shapes(std::int64_t p) const {
  return {{"w0", {1}}, {"W", {p}}, {"V", {p, factors}}};
}

FactorizationMachine::FactorizationMachine(const Expr& X, const Expr& y, const FactorizationMachineOptions& options,
                                           Location where) {
  design_columns(fm_model, X, y);
  check_weight(fm_model, X, options.weight);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);
  const Design rows(X, options.relations);
  const std::int64_t p = rows.features();
  check(options, p);
  const NormalOptions normal{.stddev = options.init_stddev, .seed = options.seed, .dtype = X.dtype()};

  const ParameterShapes shape = options.shapes(p);
  w0 = g.variable("w0", zeros(shape.at("w0"), X.dtype()));    // [1]
  W = g.variable("W", Filled{shape.at("W"), 0, X.dtype()});   // [p]
  V = g.variable("V", random_normal(shape.at("V"), normal));  // [p, k]

  linear_terms = w0 + reduce_sum(rows.of_columns(W) * X, 1, keep_dims);               // [n, 1]
  const Expr square_of_sum = square(matmul(X, rows.of_columns(V)));                   // [n, k]
  const Expr sum_of_squares = matmul(square(X), rows.squares_of_columns(square(V)));  // [n, k]
  interactions = 0.5 * reduce_sum(square_of_sum - sum_of_squares, 1, keep_dims);      // [n, 1]
  y_hat = linear_terms + interactions;                                                // [n, 1]
  prediction = gradus::prediction(options.task, y_hat);                               // [n, 1]

  error = mean_error(options.task, y, y_hat, options.weight);  // []
  const Expr of_features =
      l2_penalty(rows, {{lambda_of_W(options, W), W}, {lambda_of_V(options, V), V}}, options.l2_over,
                 options.weight);                                               // []
  penalty = sum_of_penalties(X, {l2_penalty(options.l2_w0, w0), of_features});  // []
  loss = error + penalty;                                                       // []
}

}  // namespace gradus
