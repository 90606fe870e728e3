// Functions of one operand, element by element. Gradients keep dy as a factor, so that it may be a number, csr or
// rows. Where f(0) = 0, x and so y may be csr: a derivative that is not zero at 0 is then formed on the non-zeros
// alone, with sample(1, y) for the number 1.
#include <gradus/core/kernel/vector_math.h>
#include <gradus/ops/elementwise.h>
#include <gradus/ops/modular.h>
#include <gradus/ops/rules.h>

#include <cmath>
#include <numbers>
#include <type_traits>

namespace gradus {

namespace {

// The number 1 as a term beside y or f(y), of y's layout.
Operand one(const Chain& c) {
  if (c.y.layout() == Layout::csr) return sample(1, c.y);
  return 1;
}

bool is_csr(const Chain& c) { return c.y.layout() == Layout::csr; }

// Of what is constant between jumps.
Expr slope_of_steps(const Chain& c, int i) { return zeros_like(c.x(i)); }

}  // namespace

Expr negative(const Operand& x) {
  // d (-x) = -dx
  static constexpr Row r = row<Takes::numbers>(
                               "negative", []<class T>(T x) { return static_cast<T>(-modular(x)); }, "gr_negative(x0)",
                               Gives::same, Zeros::first, [](const Chain& c, int) -> Expr { return -c.dy; })
                               .with_rule(one_factor)
                               .regrouped_by(factor_of_product);
  return elementwise(r, {x});
}

Expr abs(const Operand& x) {
  // d |x| = sign(x) dx
  static constexpr Row r = row<Takes::numbers>(
      "abs",
      []<class T>(T x) {
        if constexpr (std::is_integral_v<T>) {
          return static_cast<T>(x < 0 ? -modular(x) : modular(x));
        } else {
          return std::abs(x);
        }
      },
      "gr_abs(x0)", Gives::same, Zeros::first, [](const Chain& c, int) -> Expr { return c.dy * sign(c.x(0)); });
  return elementwise(r, {x});
}

Expr sign(const Operand& x) {
  // d sign(x) = 0; zero and NaN are their own signs
  static constexpr Row r = row<Takes::numbers>(
      "sign", []<class T>(T x) { return x > 0   ? T(1)
                                        : x < 0 ? T(-1)
                                                : x; }, "gr_sign(x0)", Gives::same, Zeros::first,
      slope_of_steps);
  return elementwise(r, {x});
}

namespace {

// exp(log(sigmoid(x))) = sigmoid(x), which is 0 only where exp(x) is
Expr of_logarithm(const Expr& y, const DraftFacts&) {
  return is_op(y.input(0), "log_sigmoid") ? sigmoid(y.input(0).input(0)) : Expr();
}

// exp(x - log(sum(exp(x)))) = exp(x) / sum(exp(x)), as long as that sum is in range; exp(x) is there already.
Expr of_log_softmax(const Expr& y, const DraftFacts&) {
  const Expr difference = y.input(0);
  if (!is_op(difference, "subtract") || !is_op(difference.input(1), "log")) return {};
  const Expr sum = difference.input(1).input(0);
  if (!is_op(sum, "reduce_sum") || !is_op(sum.input(0), "exp") ||
      !same_node(sum.input(0).input(0), difference.input(0)) || sum.input(0).type() != y.type())
    return {};
  return sum.input(0) / sum;
}

}  // namespace

Expr exp(const Operand& x) {
  // d exp(x) = exp(x) dx
  static constexpr Row r =
      row<Takes::floating>("exp", many_steps([](auto x) { return math::exp(x); }), "exp(x0)", Gives::same, Zeros::lost,
                           [](const Chain& c, int) -> Expr { return c.dy * c.y; })
          .with_rule(of_logarithm)
          .regrouped_by(of_log_softmax);
  return elementwise(r, {x});
}

Expr expm1(const Operand& x) {
  // d (exp(x) - 1) = exp(x) dx
  static constexpr Row r = row<Takes::floating>(
      "expm1", many_steps([](auto x) { return math::expm1(x); }), "expm1(x0)", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr { return c.dy * (is_csr(c) ? c.y + one(c) : exp(c.x(0))); });
  return elementwise(r, {x});
}

Expr log(const Operand& x) {
  // d log(x) = 1 / x dx
  static constexpr Row r =
      row<Takes::floating>("log", many_steps([](auto x) { return math::log(x); }), "log(x0)", Gives::same, Zeros::lost,
                           [](const Chain& c, int) -> Expr { return c.dy / c.x(0); });
  return elementwise(r, {x});
}

Expr log1p(const Operand& x) {
  // d log(1 + x) = 1 / (1 + x) dx, which is exp(-y) dx
  static constexpr Row r = row<Takes::floating>(
      "log1p", many_steps([](auto x) { return math::log1p(x); }), "log1p(x0)", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr { return is_csr(c) ? c.dy * (expm1(-c.y) + one(c)) : c.dy / (1 + c.x(0)); });
  return elementwise(r, {x});
}

Expr sqrt(const Operand& x) {
  // d sqrt(x) = 1 / (2 sqrt(x)) dx
  static constexpr Row r = row<Takes::floating>(
      "sqrt", [](auto x) { return std::sqrt(x); }, "sqrt(x0)", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr { return c.dy * (is_csr(c) ? 0.5 * stored_power(c.y, -1) : 0.5 / c.y); });
  return elementwise(r, {x});
}

Expr rsqrt(const Operand& x) {
  // d x^(-1/2) = -1/2 x^(-3/2) dx
  static constexpr Row r = row<Takes::floating>(
      "rsqrt", [](auto x) { return 1 / std::sqrt(x); }, "1 / sqrt(x0)", Gives::same, Zeros::lost,
      [](const Chain& c, int) -> Expr { return c.dy * (-0.5 * c.y * square(c.y)); });
  return elementwise(r, {x});
}

namespace {

// 1^2 = 1, |x|^2 = x^2, (-x)^2 = x^2
Expr without_sign(const Expr& y, const DraftFacts&) {
  const Expr x = y.input(0);
  if (has_ones(x)) return x;
  return is_op(x, "abs") || is_op(x, "negative") ? square(x.input(0)) : Expr();
}

}  // namespace

Expr square(const Operand& x) {
  // d x^2 = 2 x dx
  static constexpr Row r =
      row<Takes::numbers>(
          "square", []<class T>(T x) { return static_cast<T>(modular(x) * modular(x)); }, "gr_square(x0)", Gives::same,
          Zeros::first, [](const Chain& c, int) -> Expr { return 2 * c.dy * c.x(0); })
          .with_rule(without_sign);
  return elementwise(r, {x});
}

Expr reciprocal(const Operand& x) {
  // d (1 / x) = -1 / x^2 dx
  static constexpr Row r = row<Takes::floating>(
      "reciprocal", [](auto x) { return 1 / x; }, "1 / x0", Gives::same, Zeros::lost,
      [](const Chain& c, int) -> Expr { return c.dy * -square(c.y); });
  return elementwise(r, {x});
}

Expr sigmoid(const Operand& x) {
  // d sigmoid(x) = sigmoid(x) (1 - sigmoid(x)) dx
  static constexpr Row r = row<Takes::floating>("sigmoid", many_steps([](auto x) { return math::sigmoid(x); }),
                                                "gr_sigmoid(x0)", Gives::same, Zeros::lost,
                                                [](const Chain& c, int) -> Expr { return c.dy * (c.y * (1 - c.y)); });
  return elementwise(r, {x});
}

Expr log_sigmoid(const Operand& x) {
  // d log(sigmoid(x)) = sigmoid(-x) dx
  static constexpr Row r = row<Takes::floating>("log_sigmoid", many_steps([](auto x) { return math::log_sigmoid(x); }),
                                                "gr_log_sigmoid(x0)", Gives::same, Zeros::lost,
                                                [](const Chain& c, int) -> Expr { return c.dy * sigmoid(-c.x(0)); });
  return elementwise(r, {x});
}

Expr softplus(const Operand& x) {
  // d log(1 + exp(x)) = sigmoid(x) dx
  static constexpr Row r = row<Takes::floating>("softplus", many_steps([](auto x) { return math::softplus(x); }),
                                                "gr_softplus(x0)", Gives::same, Zeros::lost,
                                                [](const Chain& c, int) -> Expr { return c.dy * sigmoid(c.x(0)); });
  return elementwise(r, {x});
}

Expr sigmoid_cross_entropy_with_logits(const Operand& labels, const Operand& logits) {
  // d (max(x, 0) - x z + log(1 + exp(-|x|))) = (sigmoid(x) - z) dx - x dz. (As softplus(x) - x z it would lose what is
  // left of a large x; as three ops the derivatives of max and |x| would not agree at 0.)
  static constexpr Row unnamed = row<Takes::floating>(
      "sigmoid_cross_entropy_with_logits", many_steps([](auto z, auto x) { return math::sigmoid_cross_entropy(z, x); }),
      "(x1 > 0 ? x1 : 0) - x1 * x0 + gr_softplus(-gr_abs(x1))", Gives::same, Zeros::lost,
      [](const Chain& c, int i) -> Expr { return i == 0 ? c.dy * -c.x(1) : c.dy * (sigmoid(c.x(1)) - c.x(0)); });
  static constexpr Row r = unnamed.named({"labels", "logits"});
  return elementwise(r, {labels, logits});
}

Expr tanh(const Operand& x) {
  // d tanh(x) = (1 - tanh(x)^2) dx
  static constexpr Row r =
      row<Takes::floating>("tanh", many_steps([](auto x) { return math::tanh(x); }), "tanh(x0)", Gives::same,
                           Zeros::first, [](const Chain& c, int) -> Expr { return c.dy * (one(c) - square(c.y)); });
  return elementwise(r, {x});
}

Expr relu(const Operand& x) {
  // d max(x, 0) = dx where x > 0, which is where y > 0, else 0. The comparison is turned around so that NaN stays NaN.
  static constexpr Row r = row<Takes::numbers>(
      "relu", []<class T>(T x) { return x < 0 ? T(0) : x; }, "x0 < 0 ? 0 : x0", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr { return is_csr(c) ? c.dy * sign(c.y) : mask(greater(c.y, 0), c.dy); });
  return elementwise(r, {x});
}

Expr leaky_relu(const Operand& x, const Operand& alpha) {
  // d max(x, alpha x) = dx where x > 0, else alpha dx + x dalpha
  static constexpr Row unnamed = row<Takes::floating>(
      "leaky_relu", [](auto x, auto alpha) { return x > 0 ? x : alpha * x; }, "x0 > 0 ? x0 : x1 * x0", Gives::same,
      Zeros::first,
      [](const Chain& c, int i) -> Expr {
        if (i == 1) return c.dy * -relu(-c.x(0));
        if (!is_csr(c)) return c.dy * where(greater(c.x(0), 0), 1, c.x(1));
        const Expr positive = sign(relu(c.x(0)));
        return c.dy * (positive + c.x(1) * (one(c) - positive));
      });
  static constexpr Row r = unnamed.named({"x", "alpha"});
  return elementwise(r, {x, alpha});
}

Expr sin(const Operand& x) {
  // d sin(x) = cos(x) dx, which is (1 - 2 sin(x / 2)^2) dx
  static constexpr Row r = row<Takes::floating>(
      "sin", [](auto x) { return math::sin(x); }, "sin(x0)", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr {
        return c.dy * (is_csr(c) ? one(c) - 2 * square(sin(0.5 * c.x(0))) : cos(c.x(0)));
      });
  return elementwise(r, {x});
}

Expr cos(const Operand& x) {
  // d cos(x) = -sin(x) dx
  static constexpr Row r = row<Takes::floating>(
      "cos", [](auto x) { return math::cos(x); }, "cos(x0)", Gives::same, Zeros::lost,
      [](const Chain& c, int) -> Expr { return c.dy * -sin(c.x(0)); });
  return elementwise(r, {x});
}

Expr tan(const Operand& x) {
  // d tan(x) = (1 + tan(x)^2) dx
  static constexpr Row r = row<Takes::floating>(
      "tan", [](auto x) { return math::tan(x); }, "tan(x0)", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr { return c.dy * (square(c.y) + one(c)); });
  return elementwise(r, {x});
}

Expr erf(const Operand& x) {
  // d erf(x) = 2 / sqrt(pi) exp(-x^2) dx
  static constexpr Row r = row<Takes::floating>(
      "erf", [](auto x) { return math::erf(x); }, "erf(x0)", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr {
        const Expr exponent = -square(c.x(0));
        return c.dy * (2 * std::numbers::inv_sqrtpi * (is_csr(c) ? expm1(exponent) + one(c) : exp(exponent)));
      });
  return elementwise(r, {x});
}

Expr floor(const Operand& x) {
  // d floor(x) = 0
  static constexpr Row r = row<Takes::floating>(
      "floor", [](auto x) { return std::floor(x); }, "floor(x0)", Gives::same, Zeros::first, slope_of_steps);
  return elementwise(r, {x});
}

Expr ceil(const Operand& x) {
  // d ceil(x) = 0
  static constexpr Row r = row<Takes::floating>(
      "ceil", [](auto x) { return std::ceil(x); }, "ceil(x0)", Gives::same, Zeros::first, slope_of_steps);
  return elementwise(r, {x});
}

Expr round(const Operand& x) {
  // d round(x) = 0. rint rounds halves to even, std::round away from zero.
  static constexpr Row r = row<Takes::floating>(
      "round", [](auto x) { return std::rint(x); }, "rint(x0)", Gives::same, Zeros::first, slope_of_steps);
  return elementwise(r, {x});
}

Expr clip_by_value(const Operand& x, const Operand& low, const Operand& high) {
  // d min(max(x, low), high) = dx where low <= x <= high, dlow where x < low <= high, dhigh elsewhere. NaN wins.
  static constexpr Row unnamed = row<Takes::numbers>(
      "clip_by_value",
      [](auto x, auto low, auto high) {
        const auto raised = choose((x > low) | (x != x), x, low);
        return choose((raised < high) | (raised != raised), raised, high);
      },
      "gr_minimum(gr_maximum(x0, x1), x2)", Gives::same, Zeros::lost,
      [](const Chain& c, int i) -> Expr {
        const Expr x = c.x(0), low = c.x(1), high = c.x(2);
        if (i == 0) return mask(logical_and(less_equal(low, x), less_equal(x, high)), c.dy);
        if (i == 1) return mask(logical_and(less(x, low), less_equal(low, high)), c.dy);
        return mask(less(high, maximum(x, low)), c.dy);
      });
  static constexpr Row r = unnamed.named({"x", "low", "high"});
  return elementwise(r, {x, low, high});
}

}  // namespace gradus
