// Arithmetic of two operands that broadcast. Integers wrap around on overflow, floating numbers follow IEEE 754;
// floordiv and mod have Python's signs. Gradients keep dy as a factor, so that it may be a number, csr or rows.
#include <gradus/ops/elementwise.h>
#include <gradus/ops/modular.h>
#include <gradus/ops/rules.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

namespace gradus {

namespace {

// x / sqrt(a) = x rsqrt(a), whose second factor is in range wherever a is above 0, and 0, infinite or NaN where sqrt(a)
// is infinite, 0 or NaN. It pays for a number x, if nobody else reads the root; and for several quotients by one root,
// as gradients have them, if they share the factor.
Expr by_reciprocal_root(const Expr& y, const DraftFacts& facts) {
  const Expr x = y.input(0), root = y.input(1);
  if (!is_op(root, "sqrt")) return {};
  const std::optional<double> number = constant_number(x);
  if (number && facts.readers(root) == 1) return *number == 1 ? rsqrt(root.input(0)) : *number * rsqrt(root.input(0));
  return facts.readers(root) > 2 ? x * rsqrt(root.input(0)) : Expr();
}

// x / c = (1 / c) x for a power of two c, whose reciprocal is exact
Expr by_reciprocal(const Expr& y, const DraftFacts& facts) {
  if (const Expr by_root = by_reciprocal_root(y, facts); by_root.valid()) return by_root;
  const std::optional<double> divisor = constant_number(y.input(1));
  int exponent = 0;
  if (!divisor || !is_moderate(*divisor) || std::abs(std::frexp(*divisor, &exponent)) != 0.5 ||
      y.input(0).type() != y.type())
    return {};
  return 1 / *divisor * y.input(0);
}

// x where e is -x; otherwise no expression.
Expr negated(const Expr& e) {
  const auto [factor, x] = scaled(e);
  return factor == -1 ? x : Expr();
}

// a + (-b) = a - b and (-a) + b = b - a, to the bit
Expr as_difference(const Expr& y, const DraftFacts&) {
  const Expr a = y.input(0), b = y.input(1);
  if (const Expr taken = negated(b); taken.valid()) return a - taken;
  const Expr taken = negated(a);
  return taken.valid() ? b - taken : Expr();
}

Expr regrouped_sum(const Expr& y, const DraftFacts& facts) {
  const Expr sum = of_one_row_set(y, facts);
  return sum.valid() ? sum : one_product(y, facts);
}

// a - (-b) = a + b, to the bit
Expr as_sum(const Expr& y, const DraftFacts&) {
  const Expr added = negated(y.input(1));
  return added.valid() ? y.input(0) + added : Expr();
}

// x x = x^2
Expr as_square(const Expr& y, const DraftFacts& facts) {
  return same_node(y.input(0), y.input(1)) ? square(y.input(0)) : one_factor(y, facts);
}

}  // namespace

Expr add(const Operand& a, const Operand& b) {
  // d (a + b) = da + db
  static constexpr Row r =
      row<Takes::numbers>(
          "add", []<class T>(T a, T b) { return static_cast<T>(modular(a) + modular(b)); }, "gr_add(x0, x1)",
          Gives::same, Zeros::all, [](const Chain& c, int) -> Expr { return c.dy; })
          .with_rule(as_difference)
          .regrouped_by(regrouped_sum);
  return elementwise(r, {a, b});
}

Expr subtract(const Operand& a, const Operand& b) {
  // d (a - b) = da - db
  static constexpr Row r =
      row<Takes::numbers>(
          "subtract", []<class T>(T a, T b) { return static_cast<T>(modular(a) - modular(b)); }, "gr_subtract(x0, x1)",
          Gives::same, Zeros::all, [](const Chain& c, int i) -> Expr { return i == 0 ? c.dy : -c.dy; })
          .with_rule(as_sum)
          .regrouped_by(one_product);
  return elementwise(r, {a, b});
}

Expr multiply(const Operand& a, const Operand& b) {
  // d (a b) = b da + a db, and d (a a) = 2 a da
  static constexpr Row r = row<Takes::numbers>(
                               "multiply", []<class T>(T a, T b) { return static_cast<T>(modular(a) * modular(b)); },
                               "gr_multiply(x0, x1)", Gives::same, Zeros::either,
                               [](const Chain& c, int i) -> Expr {
                                 if (!same_node(c.x(0), c.x(1))) return c.dy * c.x(1 - i);
                                 return i == 0 ? 2 * c.dy * c.x(0) : Expr();
                               })
                               .with_rule(as_square)
                               .regrouped_by(factor_of_product);
  return elementwise(r, {a, b});
}

Expr divide(const Operand& a, const Operand& b) {
  // d (a / b) = da / b - (a / b) / b db; dy / b is in both, so it is computed once.
  static constexpr Row r = row<Takes::floating>(
                               "divide", [](auto a, auto b) { return a / b; }, "x0 / x1", Gives::same, Zeros::first,
                               [](const Chain& c, int i) -> Expr {
                                 const Expr quotient = c.dy / c.x(1);
                                 return i == 0 ? quotient : -quotient * c.y;
                               })
                               .with_rule(by_reciprocal);
  return elementwise(r, {a, b});
}

namespace {

// The gradient of max and min: dy where the operand is the one that won. Ties are the first operand's.
Expr winner(const Chain& c, int i, const Expr& second_wins) {
  if (i == 1) return mask(second_wins, c.dy);
  // logical_not would fill the zeros of csr operands.
  if (c.y.layout() == Layout::csr) return c.dy * (sample(1, c.y) - cast(second_wins, c.y.dtype()));
  return mask(logical_not(second_wins), c.dy);
}

}  // namespace

Expr maximum(const Operand& a, const Operand& b) {
  // d max(a, b) = da where a >= b, db where a < b. NaN wins: it is not greater, and not equal to itself.
  static constexpr Row r = row<Takes::numbers>(
      "maximum", [](auto a, auto b) { return ((a > b) | (a != a)) ? a : b; }, "gr_maximum(x0, x1)", Gives::same,
      Zeros::all, [](const Chain& c, int i) -> Expr { return winner(c, i, less(c.x(0), c.x(1))); });
  return elementwise(r, {a, b});
}

Expr minimum(const Operand& a, const Operand& b) {
  // d min(a, b) = da where a <= b, db where a > b
  static constexpr Row r = row<Takes::numbers>(
      "minimum", [](auto a, auto b) { return ((a < b) | (a != a)) ? a : b; }, "gr_minimum(x0, x1)", Gives::same,
      Zeros::all, [](const Chain& c, int i) -> Expr { return winner(c, i, greater(c.x(0), c.x(1))); });
  return elementwise(r, {a, b});
}

Expr squared_difference(const Operand& a, const Operand& b) {
  // d (a - b)^2 = 2 (a - b) da - 2 (a - b) db
  static constexpr Row r = row<Takes::numbers>(
      "squared_difference",
      []<class T>(T a, T b) {
        const auto difference = modular(a) - modular(b);
        return static_cast<T>(difference * difference);
      },
      "gr_squared_difference(x0, x1)", Gives::same, Zeros::all,
      [](const Chain& c, int i) -> Expr {
        const Expr slope = 2 * c.dy * (c.x(0) - c.x(1));
        return i == 0 ? slope : -slope;
      });
  return elementwise(r, {a, b});
}

namespace {

// The quotient rounded down. fmod is exact, so a - remainder is a multiple of b to the last bit, where
// floor(a / b) may be one off. A quotient of zero keeps the sign of a / b.
template <class T>
T floor_quotient(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) fail<ValueError>("floordiv: integer division by zero");
    if (b == -1) return static_cast<T>(-modular(a));  // the least integer / -1 traps
    const T quotient = static_cast<T>(a / b);
    return a % b != 0 && (a < 0) != (b < 0) ? static_cast<T>(quotient - 1) : quotient;
  } else {
    if (b == 0) return a / b;
    const T remainder = std::fmod(a, b);
    T quotient = (a - remainder) / b;
    if (remainder != 0 && (remainder < 0) != (b < 0)) quotient -= 1;
    return quotient == 0 ? std::copysign(T(0), a / b) : std::rint(quotient);
  }
}

// What is left of a, with the sign of b, zero included.
template <class T>
T floor_remainder(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if (b == 0) fail<ValueError>("mod: integer division by zero");
    if (b == -1) return 0;
    const T remainder = static_cast<T>(a % b);
    return remainder != 0 && (remainder < 0) != (b < 0) ? static_cast<T>(remainder + b) : remainder;
  } else {
    const T remainder = std::fmod(a, b);
    if (remainder == 0) return std::copysign(T(0), b);
    return (remainder < 0) != (b < 0) ? remainder + b : remainder;
  }
}

}  // namespace

Expr floordiv(const Operand& a, const Operand& b) {
  // d floor(a / b) = 0
  static constexpr Row r =
      row<Takes::numbers>(
          "floordiv", [](auto a, auto b) { return floor_quotient(a, b); }, "gr_floordiv(x0, x1)", Gives::same,
          Zeros::first, [](const Chain& c, int i) -> Expr { return zeros_like(c.x(i)); })
          .throwing_for_integers();
  return elementwise(r, {a, b});
}

Expr mod(const Operand& a, const Operand& b) {
  // d (a - floor(a / b) b) = da - floor(a / b) db
  static constexpr Row r =
      row<Takes::numbers>(
          "mod", [](auto a, auto b) { return floor_remainder(a, b); }, "gr_mod(x0, x1)", Gives::same, Zeros::first,
          [](const Chain& c, int i) -> Expr { return i == 0 ? c.dy : c.dy * -floordiv(c.x(0), c.x(1)); })
          .throwing_for_integers();
  return elementwise(r, {a, b});
}

}  // namespace gradus
