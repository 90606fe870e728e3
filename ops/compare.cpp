// Comparison and logic: rows that give bool, as IEEE 754 has it (nothing equals NaN). bool has no gradient, so a
// gradient simply does not flow here. Where f(0, 0) is false, csr operands give csr bools.
#include <gradus/ops/elementwise.h>

#include <cmath>
#include <limits>
#include <string_view>

namespace gradus {

namespace {

constexpr std::string_view no_slope = "it gives bool, which is piecewise constant";
constexpr std::string_view no_numbers = "its operands are bool";

}  // namespace

Expr equal(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::any>(
      "equal", [](auto a, auto b) { return a == b; }, "x0 == x1", Gives::boolean, Zeros::lost, no_slope);
  return elementwise(r, {a, b});
}

Expr not_equal(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::any>(
      "not_equal", [](auto a, auto b) { return a != b; }, "x0 != x1", Gives::boolean, Zeros::all, no_slope);
  return elementwise(r, {a, b});
}

Expr less(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::numbers>(
      "less", [](auto a, auto b) { return a < b; }, "x0 < x1", Gives::boolean, Zeros::all, no_slope);
  return elementwise(r, {a, b});
}

Expr less_equal(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::numbers>(
      "less_equal", [](auto a, auto b) { return a <= b; }, "x0 <= x1", Gives::boolean, Zeros::lost, no_slope);
  return elementwise(r, {a, b});
}

Expr greater(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::numbers>(
      "greater", [](auto a, auto b) { return a > b; }, "x0 > x1", Gives::boolean, Zeros::all, no_slope);
  return elementwise(r, {a, b});
}

Expr greater_equal(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::numbers>(
      "greater_equal", [](auto a, auto b) { return a >= b; }, "x0 >= x1", Gives::boolean, Zeros::lost, no_slope);
  return elementwise(r, {a, b});
}

Expr logical_and(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::booleans>(
      "logical_and", [](bool a, bool b) { return a && b; }, "x0 && x1", Gives::boolean, Zeros::either, no_numbers);
  return elementwise(r, {a, b});
}

Expr logical_or(const Operand& a, const Operand& b) {
  static constexpr Row r = row<Takes::booleans>(
      "logical_or", [](bool a, bool b) { return a || b; }, "x0 || x1", Gives::boolean, Zeros::all, no_numbers);
  return elementwise(r, {a, b});
}

Expr logical_not(const Operand& x) {
  static constexpr Row r = row<Takes::booleans>(
      "logical_not", [](bool x) { return !x; }, "!x0", Gives::boolean, Zeros::lost, no_numbers);
  return elementwise(r, {x});
}

Expr isnan(const Operand& x) {
  static constexpr Row r = row<Takes::floating>(
      "isnan", [](auto x) { return x != x; }, "x0 != x0", Gives::boolean, Zeros::first, no_slope);
  return elementwise(r, {x});
}

Expr isfinite(const Operand& x) {
  static constexpr Row r = row<Takes::floating>(
      "isfinite", []<class T>(T x) { return std::abs(x) <= std::numeric_limits<T>::max(); }, "gr_isfinite(x0)",
      Gives::boolean, Zeros::lost, no_slope);
  return elementwise(r, {x});
}

}  // namespace gradus
