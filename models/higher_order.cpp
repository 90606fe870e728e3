#include <gradus/models/higher_order.h>

#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

namespace gradus {

namespace {

constexpr std::string_view hofm_model = "HigherOrderFactorizationMachine";

std::string factors_of_order(bool shared, int m) { return shared ? "V" : fmt::format("V{}", m); }

// sum_f A_m(v_f, x) of each row, for m from 2 to `order`, by Newton's identities. All but the last P_t are needed
// factor by factor; of that one the sum is enough.   csr or dense [n, p], [p, k] -> [n, 1] each
std::vector<Expr> anova(const Expr& X, const Expr& V, int order) {
  std::vector<Expr> P(1);  // P[t], from 1: [n, k]
  std::vector<Expr> A(1);  // A[t], from 1: [n, k]
  std::vector<Expr> sums;
  const auto with_term = [](const Expr& sum, const Expr& term, int t) { return t % 2 == 1 ? sum + term : sum - term; };
  for (int m = 1; m <= order; ++m) {
    P.push_back(m == 1 ? matmul(X, V) : matmul(pow(X, m), pow(V, m)));  // [n, k]
    if (m == 1) {
      A.push_back(P[1]);
      continue;
    }
    // As A_1 = P_1, the terms of t = 1 and t = m - 1 have it in common; for m = 2 they are one.   m A_m  [n, k]
    Expr sum = m == 2 ? square(P[1]) : with_term(A[at(m - 1)], P[at(m - 1)], m - 1) * P[1];
    for (int t = 2; t < m - 1; ++t) sum = with_term(sum, A[at(m - t)] * P[at(t)], t);
    A.push_back((1.0 / m) * with_term(sum, P[at(m)], m));  // [n, k]
    sums.push_back(reduce_sum(A[at(m)], 1, keep_dims));    // [n, 1]
  }
  return sums;
}

}  // namespace

ParameterShapes HigherOrderFactorizationMachineOptions::shapes(std::int64_t p) const {
  ParameterShapes out{{"w0", {1}}, {"W", {p}}};
  for (int m = 2; m <= (share_factors ? 2 : order); ++m) out[factors_of_order(share_factors, m)] = {p, factors};
  return out;
}

HigherOrderFactorizationMachine::HigherOrderFactorizationMachine(const Expr& X, const Expr& y,
                                                                 const HigherOrderFactorizationMachineOptions& options,
                                                                 Location where) {
  const std::int64_t p = design_columns(hofm_model, X, y);
  check_weight(hofm_model, X, options.weight);
  if (options.order < 2 || options.order > 5)
    fail<ValueError>("{}: order is {}; 2 to 5 are expected", hofm_model, options.order);
  check_factors(hofm_model, options.factors, options.init_stddev);
  check_l2(hofm_model, "l2_w0", options.l2_w0);
  check_l2(hofm_model, "l2_W", options.l2_W);
  check_l2(hofm_model, "l2_V", options.l2_V);
  Graph& g = X.graph();
  const Graph::Pin pin = g.pin(where);
  const NormalOptions normal{.stddev = options.init_stddev, .seed = options.seed, .dtype = X.dtype()};

  const ParameterShapes shape = options.shapes(p);
  w0 = g.variable("w0", zeros(shape.at("w0"), X.dtype()));   // [1]
  W = g.variable("W", Filled{shape.at("W"), 0, X.dtype()});  // [p]
  for (int m = 2; m <= (options.share_factors ? 2 : options.order); ++m) {
    const std::string name = factors_of_order(options.share_factors, m);
    V.push_back(g.variable(name, random_normal(shape.at(name), normal)));  // [p, k]
  }

  linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);  // [n, 1]
  if (options.share_factors) {
    interactions = anova(X, V.front(), options.order);  // [n, 1] each
  } else {
    for (int m = 2; m <= options.order; ++m) interactions.push_back(anova(X, V[at(m - 2)], m).back());  // [n, 1]
  }
  y_hat = linear_terms;
  for (const Expr& of_order : interactions) y_hat = y_hat + of_order;  // [n, 1]
  prediction = gradus::prediction(options.task, y_hat);                // [n, 1]

  error = mean_error(options.task, y, y_hat, options.weight);  // []
  std::vector<FeaturePenalty> of_features{{options.l2_W, W}};
  for (const Expr& of_order : V) of_features.push_back({options.l2_V, of_order});
  penalty = sum_of_penalties(
      X, {l2_penalty(options.l2_w0, w0), l2_penalty(X, of_features, options.l2_over, options.weight)});  // []
  loss = error + penalty;                                                                                // []
}

}  // namespace gradus
