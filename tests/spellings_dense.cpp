// Spellings of formulas on dense values.
#include "spellings.h"

#include <numbers>
#include <utility>

namespace gradus {

namespace {

using Formula = Expr (*)(SpelledStep& s);

// Losses whose gradients need the formula's values.
Writing descent(Formula formula) {
  return [formula](SpelledStep& s) {
    const Expr y = formula(s);
    s.loss = y.rank() == 0 ? log1p(square(y)) : reduce_mean(square(y - s.data("goal", y.shape())));
    s.train = GradientDescent(y.rank() == 0 ? 1e-6 : 0.5).minimize(s.loss);
  };
}

Spelling pair(std::string name, std::string usual_text, Formula usual, std::string other_text, Formula other) {
  return {std::move(name), std::move(usual_text), std::move(other_text), descent(usual), descent(other)};
}

Expr shifted(const Expr& x) { return x - stop_gradient(reduce_max(x, 1, keep_dims)); }
Expr cubic(const Expr& x) { return std::numbers::sqrt2 * std::numbers::inv_sqrtpi * (x + 0.044715 * pow(x, 3)); }
Expr square_matrix(SpelledStep& s) { return s.normal("w", {s.sizes.columns, s.sizes.columns}); }
Expr probabilities(SpelledStep& s) { return sigmoid(s.data("t", {s.sizes.rows, s.sizes.columns})); }
double elements(const SpelledStep& s) { return static_cast<double>(s.sizes.rows * s.sizes.columns); }

std::vector<Spelling> arithmetic() {
  return {
      pair(
          "square, product", "square(x)", [](SpelledStep& s) { return square(s.x()); },  //
          "x * x", [](SpelledStep& s) { return s.x() * s.x(); }),
      pair(
          "square, power", "square(x)", [](SpelledStep& s) { return square(s.x()); },  //
          "pow(x, 2)", [](SpelledStep& s) { return pow(s.x(), 2); }),
      pair(
          "cube, product", "pow(x, 3)", [](SpelledStep& s) { return pow(s.x(), 3); },  //
          "x * x * x", [](SpelledStep& s) { return s.x() * s.x() * s.x(); }),
      pair(
          "cube, square", "pow(x, 3)", [](SpelledStep& s) { return pow(s.x(), 3); },  //
          "x * square(x)", [](SpelledStep& s) { return s.x() * square(s.x()); }),
      pair(
          "product, order", "a * x * b", [](SpelledStep& s) { return s.a() * s.x() * s.b(); },  //
          "b * x * a", [](SpelledStep& s) { return s.b() * s.x() * s.a(); }),
      pair(
          "product, grouping", "a * x * b", [](SpelledStep& s) { return s.a() * s.x() * s.b(); },  //
          "a * (x * b)", [](SpelledStep& s) { return s.a() * (s.x() * s.b()); }),
      pair(
          "sum, order", "a + square(x) + b", [](SpelledStep& s) { return s.a() + square(s.x()) + s.b(); },  //
          "b + a + square(x)", [](SpelledStep& s) { return s.b() + s.a() + square(s.x()); }),
      pair(
          "sum, grouping", "a + square(x) + b", [](SpelledStep& s) { return s.a() + square(s.x()) + s.b(); },  //
          "a + (square(x) + b)", [](SpelledStep& s) { return s.a() + (square(s.x()) + s.b()); }),
      pair(
          "half, quotient", "0.5 * square(x)", [](SpelledStep& s) { return 0.5 * square(s.x()); },  //
          "square(x) / 2", [](SpelledStep& s) { return square(s.x()) / 2; }),
      pair(
          "factor, place", "0.3 * (a * x)", [](SpelledStep& s) { return 0.3 * (s.a() * s.x()); },  //
          "a * (x * 0.3)", [](SpelledStep& s) { return s.a() * (s.x() * 0.3); }),
      pair(
          "difference, sum", "square(a) - square(b)", [](SpelledStep& s) { return square(s.a()) - square(s.b()); },  //
          "square(a) + (-square(b))", [](SpelledStep& s) { return square(s.a()) + (-square(s.b())); }),
      pair(
          "difference, factor", "square(a) - square(b)",
          [](SpelledStep& s) { return square(s.a()) - square(s.b()); },  //
          "square(a) + -1 * square(b)", [](SpelledStep& s) { return square(s.a()) + -1 * square(s.b()); }),
      pair(
          "squared difference", "squared_difference(x, a)",
          [](SpelledStep& s) { return squared_difference(s.x(), s.a()); },  //
          "square(x - a)", [](SpelledStep& s) { return square(s.x() - s.a()); }),
      pair(
          "reciprocal, quotient", "x / a", [](SpelledStep& s) { return s.x() / s.a(); },  //
          "x * reciprocal(a)", [](SpelledStep& s) { return s.x() * reciprocal(s.a()); }),
      pair(
          "rsqrt, quotient", "rsqrt(a)", [](SpelledStep& s) { return rsqrt(s.a()); },  //
          "1 / sqrt(a)", [](SpelledStep& s) { return 1 / sqrt(s.a()); }),
      pair(
          "rsqrt, power", "rsqrt(a)", [](SpelledStep& s) { return rsqrt(s.a()); },  //
          "pow(a, -0.5)", [](SpelledStep& s) { return pow(s.a(), -0.5); }),
      pair(
          "reciprocal, power", "1 / a", [](SpelledStep& s) { return 1 / s.a(); },  //
          "pow(a, -1)", [](SpelledStep& s) { return pow(s.a(), -1); }),
      pair(
          "root, power", "sqrt(a)", [](SpelledStep& s) { return sqrt(s.a()); },  //
          "pow(a, 0.5)", [](SpelledStep& s) { return pow(s.a(), 0.5); }),
  };
}

std::vector<Spelling> functions() {
  return {
      pair(
          "relu, maximum", "relu(x)", [](SpelledStep& s) { return relu(s.x()); },  //
          "maximum(x, 0)", [](SpelledStep& s) { return maximum(s.x(), 0); }),
      pair(
          "relu, where", "relu(x)", [](SpelledStep& s) { return relu(s.x()); },  //
          "where(x > 0, x, 0)", [](SpelledStep& s) { return where(s.x() > 0, s.x(), 0); }),
      pair(
          "sigmoid, log_sigmoid", "sigmoid(x)", [](SpelledStep& s) { return sigmoid(s.x()); },  //
          "exp(log_sigmoid(x))", [](SpelledStep& s) { return exp(log_sigmoid(s.x())); }),
      pair(
          "log_sigmoid, softplus", "log_sigmoid(x)", [](SpelledStep& s) { return log_sigmoid(s.x()); },  //
          "-softplus(-x)", [](SpelledStep& s) { return -softplus(-s.x()); }),
      pair(
          "GELU, order of factors", "0.5 * x * (1 + tanh(...))",
          [](SpelledStep& s) { return 0.5 * s.x() * (1 + tanh(cubic(s.x()))); },  //
          "x * ((tanh(...) + 1) * 0.5)", [](SpelledStep& s) { return s.x() * ((tanh(cubic(s.x())) + 1) * 0.5); }),
      pair(
          "softmax, written out", "softmax(x)", [](SpelledStep& s) { return softmax(s.x()); },  //
          "exp(x - max) / sum",
          [](SpelledStep& s) {
            const Expr e = exp(shifted(s.x()));
            return e / reduce_sum(e, 1, keep_dims);
          }),
      pair(
          "softmax, by log_softmax", "softmax(x)", [](SpelledStep& s) { return softmax(s.x()); },  //
          "exp(log_softmax(x))", [](SpelledStep& s) { return exp(log_softmax(s.x())); }),
      pair(
          "log_softmax, difference", "log_softmax(x)", [](SpelledStep& s) { return log_softmax(s.x()); },  //
          "x - reduce_logsumexp(x, 1, keep_dims)",
          [](SpelledStep& s) { return s.x() - reduce_logsumexp(s.x(), 1, keep_dims); }),
      pair(
          "log loss, written out", "sigmoid_cross_entropy_with_logits(t, x)",
          [](SpelledStep& s) { return sigmoid_cross_entropy_with_logits(probabilities(s), s.x()); },  //
          "softplus(x) - t * x", [](SpelledStep& s) { return softplus(s.x()) - probabilities(s) * s.x(); }),
  };
}

std::vector<Spelling> sums() {
  return {
      pair(
          "mean, quotient", "reduce_mean(square(x))", [](SpelledStep& s) { return reduce_mean(square(s.x())); },  //
          "reduce_sum(square(x)) / n", [](SpelledStep& s) { return reduce_sum(square(s.x())) / elements(s); }),
      pair(
          "sum, axis by axis", "reduce_sum(tanh(x))", [](SpelledStep& s) { return reduce_sum(tanh(s.x())); },  //
          "reduce_sum(reduce_sum(tanh(x), 1), 0)",
          [](SpelledStep& s) { return reduce_sum(reduce_sum(tanh(s.x()), 1), 0); }),
      pair(
          "squared error, order", "reduce_mean(square(x - t))",
          [](SpelledStep& s) { return reduce_mean(square(s.x() - probabilities(s))); },  //
          "reduce_mean(square(t - x))", [](SpelledStep& s) { return reduce_mean(square(probabilities(s) - s.x())); }),
      pair(
          "half of squares", "l2_loss(x)", [](SpelledStep& s) { return l2_loss(s.x()); },  //
          "reduce_sum(x * x) / 2", [](SpelledStep& s) { return reduce_sum(s.x() * s.x()) / 2; }),
      pair(
          "product, transpose", "matmul(x, w, {.transpose_b = true})",
          [](SpelledStep& s) { return matmul(s.x(), square_matrix(s), {.transpose_b = true}); },  //
          "matmul(x, transpose(w))", [](SpelledStep& s) { return matmul(s.x(), transpose(square_matrix(s))); }),
      pair(
          "product, einsum", "matmul(x, w)", [](SpelledStep& s) { return matmul(s.x(), square_matrix(s)); },  //
          "einsum(\"ij,jk->ik\", x, w)", [](SpelledStep& s) { return einsum("ij,jk->ik", s.x(), square_matrix(s)); }),
      pair(
          "row products, einsum", "reduce_sum(a * x, 1)", [](SpelledStep& s) { return reduce_sum(s.a() * s.x(), 1); },
          "einsum(\"ij,ij->i\", a, x)", [](SpelledStep& s) { return einsum("ij,ij->i", s.a(), s.x()); }),
      pair(
          "sum, factor within", "0.5 * reduce_sum(a * x, 1)",
          [](SpelledStep& s) { return 0.5 * reduce_sum(s.a() * s.x(), 1); },  //
          "reduce_sum(0.5 * a * x, 1)", [](SpelledStep& s) { return reduce_sum(0.5 * s.a() * s.x(), 1); }),
  };
}

}  // namespace

std::vector<Spelling> dense_spellings() {
  std::vector<Spelling> all;
  for (const auto& section : {arithmetic(), functions(), sums()}) all.insert(all.end(), section.begin(), section.end());
  return all;
}

}  // namespace gradus
