// Activations with a formula of their own, as functions.cpp has its, and those that are expressions.
#include <gradus/core/kernel/vector_math.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/elementwise.h>

#include <cmath>
#include <numbers>

namespace gradus {

namespace {

bool is_csr(const Chain& c) { return c.y.layout() == Layout::csr; }

// The number 1 where a csr y has its non-zeros.
Expr stored_ones(const Chain& c) { return sample(1, c.y); }

}  // namespace

Expr elu(const Operand& x, const Operand& alpha) {
  // d elu(x) = dx where x > 0, else alpha exp(x) dx + (exp(x) - 1) dalpha; alpha exp(x) = y + alpha
  static constexpr Row unnamed = row<Takes::floating>(
      "elu", many_steps([](auto x, auto alpha) { return x > 0 ? x : alpha * math::expm1(x); }),
      "x0 > 0 ? x0 : x1 * expm1(x0)", Gives::same, Zeros::first, [](const Chain& c, int i) -> Expr {
        const Expr x = c.x(0), alpha = c.x(1);
        if (i == 1) return c.dy * expm1(-relu(-x));
        if (!is_csr(c)) return c.dy * where(greater(x, 0), 1, c.y + alpha);
        const Expr positive = sign(relu(x));
        return c.dy * (positive + (c.y + alpha * stored_ones(c)) * (stored_ones(c) - positive));
      });
  static constexpr Row r = unnamed.named({"x", "alpha"});
  return elementwise(r, {x, alpha});
}

Expr selu(const Operand& x) {
  const Expr expr = require_expr("selu", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return 1.0507009873554804934 * elu(expr, 1.6732632423543772848);
}

Expr gelu(const Operand& x, bool approximate) {
  const Expr expr = require_expr("gelu", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr other = approximate ? tanh(std::sqrt(2 * std::numbers::inv_pi) * (expr + 0.044715 * pow(expr, 3)))
                                 : erf(expr / std::numbers::sqrt2);
  const Expr half = 0.5 * expr;  // 2 x may be infinite
  return half + half * other;
}

Expr silu(const Operand& x) {
  // d (x s) = (s + x s (1 - s)) dx for s = sigmoid(x), which is (1 + tanh(x / 2)) / 2
  static constexpr Row r =
      row<Takes::floating>("silu", many_steps([](auto x) { return x * math::sigmoid(x); }), "x0 * gr_sigmoid(x0)",
                           Gives::same, Zeros::first, [](const Chain& c, int) -> Expr {
                             const Expr x = c.x(0);
                             if (!is_csr(c)) {
                               const Expr s = sigmoid(x);
                               return c.dy * (s + c.y * (1 - s));
                             }
                             const Expr s = 0.5 * (stored_ones(c) + tanh(0.5 * x));
                             return c.dy * (s + c.y * (stored_ones(c) - s));
                           });
  return elementwise(r, {x});
}

Expr hard_sigmoid(const Operand& x) {
  const Expr expr = require_expr("hard_sigmoid", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return clip_by_value(0.2 * expr + 0.5, 0, 1);
}

Expr softsign(const Operand& x) {
  // d (x / (1 + |x|)) = 1 / (1 + |x|)^2 dx, which is (1 - |y|)^2 dx
  static constexpr Row r = row<Takes::floating>(
      "softsign", [](auto x) { return x / (1 + std::abs(x)); }, "x0 / (1 + gr_abs(x0))", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr {
        return is_csr(c) ? c.dy * square(stored_ones(c) - abs(c.y)) : c.dy / square(1 + abs(c.x(0)));
      });
  return elementwise(r, {x});
}

}  // namespace gradus
