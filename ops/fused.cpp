// Rows that plans alone make: two to four elementwise ops in one loop, so that what stands between them is never
// written. They give the same bits as the ops one after the other: this file is compiled without fused
// multiply-additions, and each formula rounds where the ops would.
#include <gradus/ops/elementwise.h>
#include <gradus/ops/rules.h>

#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace gradus {

namespace {

constexpr std::string_view why = "only plans make it";

Expr multiply_add(const Expr& a, const Expr& b, const Expr& c) {
  static constexpr Row r =
      row<Takes::floating>("multiply_add", beside_numbers<0b001>([](auto a, auto b, auto c) { return a * b + c; }),
                           "x0 * x1 + x2", Gives::same, Zeros::all, why);
  return elementwise(r, {a, b, c});
}

Expr multiply_subtract(const Expr& a, const Expr& b, const Expr& c) {
  static constexpr Row r =
      row<Takes::floating>("multiply_subtract", beside_numbers<0b001>([](auto a, auto b, auto c) { return a * b - c; }),
                           "x0 * x1 - x2", Gives::same, Zeros::all, why);
  return elementwise(r, {a, b, c});
}

Expr subtract_product(const Expr& a, const Expr& b, const Expr& c) {
  static constexpr Row r =
      row<Takes::floating>("subtract_product", beside_numbers<0b010>([](auto a, auto b, auto c) { return a - b * c; }),
                           "x0 - x1 * x2", Gives::same, Zeros::all, why);
  return elementwise(r, {a, b, c});
}

Expr divide_by_root(const Expr& a, const Expr& b) {
  static constexpr Row r = row<Takes::floating>(
      "divide_by_root", [](auto a, auto b) { return a / std::sqrt(b); }, "x0 / sqrt(x1)", Gives::same, Zeros::first,
      why);
  return elementwise(r, {a, b});
}

Expr subtract_quotient(const Expr& a, const Expr& b, const Expr& c) {
  static constexpr Row r = row<Takes::floating>(
      "subtract_quotient", [](auto a, auto b, auto c) { return a - b / c; }, "x0 - x1 / x2", Gives::same, Zeros::lost,
      why);
  return elementwise(r, {a, b, c});
}

Expr subtract_divided_by_root(const Expr& a, const Expr& b, const Expr& c) {
  static constexpr Row r = row<Takes::floating>(
      "subtract_divided_by_root", [](auto a, auto b, auto c) { return a - b / std::sqrt(c); }, "x0 - x1 / sqrt(x2)",
      Gives::same, Zeros::lost, why);
  return elementwise(r, {a, b, c});
}

// Adagrad's step: a number times the gradient is what is divided.
Expr subtract_product_by_root(const Expr& a, const Expr& b, const Expr& c, const Expr& d) {
  static constexpr Row r = row<Takes::floating>(
      "subtract_product_by_root",
      beside_numbers<0b0010>([](auto a, auto b, auto c, auto d) { return a - b * c / std::sqrt(d); }),
      "x0 - x1 * x2 / sqrt(x3)", Gives::same, Zeros::lost, why);
  return elementwise(r, {a, b, c, d});
}

// What Adam keeps of the gradient and of its square.
Expr sum_of_products(const Expr& a, const Expr& b, const Expr& c, const Expr& d) {
  static constexpr Row r = row<Takes::floating>(
      "sum_of_products", beside_numbers<0b0101>([](auto a, auto b, auto c, auto d) { return a * b + c * d; }),
      "x0 * x1 + x2 * x3", Gives::same, Zeros::all, why);
  return elementwise(r, {a, b, c, d});
}

Expr add_product_of_square(const Expr& a, const Expr& b, const Expr& c, const Expr& d) {
  static constexpr Row r =
      row<Takes::floating>("add_product_of_square",
                           beside_numbers<0b0101>([](auto a, auto b, auto c, auto d) { return a * b + c * (d * d); }),
                           "x0 * x1 + x2 * (x3 * x3)", Gives::same, Zeros::all, why);
  return elementwise(r, {a, b, c, d});
}

// And its step.
Expr add_root(const Expr& a, const Expr& b) {
  static constexpr Row r = row<Takes::floating>(
      "add_root", [](auto a, auto b) { return a + std::sqrt(b); }, "x0 + sqrt(x1)", Gives::same, Zeros::all, why);
  return elementwise(r, {a, b});
}

Expr subtract_quotient_of_product(const Expr& a, const Expr& b, const Expr& c, const Expr& d) {
  static constexpr Row r =
      row<Takes::floating>("subtract_quotient_of_product",
                           beside_numbers<0b0010>([](auto a, auto b, auto c, auto d) { return a - b * c / d; }),
                           "x0 - x1 * x2 / x3", Gives::same, Zeros::lost, why);
  return elementwise(r, {a, b, c, d});
}

// Whether x, an input of y, may be computed within y's loop: y alone reads it, element by element.
bool stays_inside(const Expr& x, const Expr& y, const DraftFacts& facts) {
  return x.kind() == Kind::op && is_floating(x.dtype()) && facts.readers(x) == 1 && x.shape() == y.shape();
}

// Whether one loop takes all of these to y: dense ones, or rows that are known to be the same.
bool one_loop(const Expr& y, const DraftFacts& facts, std::initializer_list<Expr> operands) {
  const Expr source = y.layout() == Layout::dense ? Expr() : facts.row_set(y);
  if (y.layout() == Layout::csr || (y.layout() != Layout::dense && !source.valid())) return false;
  for (const Expr& x : operands) {
    if (y.layout() == Layout::dense && x.layout() != Layout::dense) return false;
    if (y.layout() == Layout::rows && x.layout() == Layout::dense) return false;
    if (x.layout() != Layout::dense && !same_node(facts.row_set(x), source)) return false;
  }
  return true;
}

// a b + c d, or a b + c d^2, where y alone reads both products; none if it is no such sum.
template <class IsInside>
Expr two_products(const Expr& y, const DraftFacts& facts, const IsInside& is_inside) {
  const Expr u = y.input(0), v = y.input(1);
  if (same_node(u, v) || !is_inside(u, "multiply") || !is_inside(v, "multiply")) return {};
  for (const auto& [one, other] : {std::pair(u, v), std::pair(v, u)})
    for (const int i : {0, 1}) {
      const Expr squared = other.input(i), c = other.input(1 - i);
      if (!same_node(squared, c) && is_inside(squared, "square") &&
          one_loop(y, facts, {one.input(0), one.input(1), c, squared.input(0)}))
        return add_product_of_square(one.input(0), one.input(1), c, squared.input(0));
    }
  if (!one_loop(y, facts, {u.input(0), u.input(1), v.input(0), v.input(1)})) return {};
  return sum_of_products(u.input(0), u.input(1), v.input(0), v.input(1));
}

}  // namespace

Expr add_in_one_loop(const Expr& y, const DraftFacts& facts) {
  const auto is_inside = [&](const Expr& x, std::string_view name) {
    return is_op(x, name) && stays_inside(x, y, facts);
  };
  if (const Expr sum = two_products(y, facts, is_inside); sum.valid()) return sum;
  for (const int i : {0, 1}) {
    const Expr x = y.input(i), other = y.input(1 - i);
    if (same_node(x, other)) continue;
    if (is_inside(x, "square") && one_loop(y, facts, {x.input(0), other}))
      return multiply_add(x.input(0), x.input(0), other);
    if (is_inside(x, "multiply") && one_loop(y, facts, {x.input(0), x.input(1), other}))
      return multiply_add(x.input(0), x.input(1), other);
  }
  if (y.layout() == Layout::rows) return {};
  for (const int i : {0, 1}) {
    const Expr root = y.input(i), other = y.input(1 - i);
    if (!same_node(root, other) && is_inside(root, "sqrt") && one_loop(y, facts, {root.input(0), other}))
      return add_root(other, root.input(0));
  }
  return {};
}

namespace {

// a b - c, where y alone reads the product.
Expr product_less(const Expr& y, const DraftFacts& facts) {
  const Expr product = y.input(0), c = y.input(1);
  if (same_node(product, c) || !stays_inside(product, y, facts)) return {};
  if (is_op(product, "square") && one_loop(y, facts, {product.input(0), c}))
    return multiply_subtract(product.input(0), product.input(0), c);
  if (is_op(product, "multiply") && one_loop(y, facts, {product.input(0), product.input(1), c}))
    return multiply_subtract(product.input(0), product.input(1), c);
  return {};
}

// a - b c, a - b / c and the steps of optimizers
Expr less_product(const Expr& y, const DraftFacts& facts) {
  const Expr a = y.input(0);
  const Expr x = y.input(1);
  if (!stays_inside(x, y, facts) || same_node(x, a) || x.arity() != 2 ||
      !one_loop(y, facts, {a, x.input(0), x.input(1)}))
    return {};
  if (is_op(x, "multiply")) return subtract_product(a, x.input(0), x.input(1));
  if (y.layout() == Layout::rows) return {};
  if (is_op(x, "divide")) {
    const Expr product = x.input(0), divisor = x.input(1);
    if (is_op(product, "multiply") && stays_inside(product, y, facts) && !same_node(product, a) &&
        !same_node(product, divisor) && one_loop(y, facts, {a, product.input(0), product.input(1), divisor}))
      return subtract_quotient_of_product(a, product.input(0), product.input(1), divisor);
    return subtract_quotient(a, product, divisor);
  }
  if (!is_op(x, "divide_by_root")) return {};
  const Expr divided = x.input(0), square = x.input(1);
  if (is_op(divided, "multiply") && stays_inside(divided, y, facts) && !same_node(divided, a) &&
      !same_node(divided, square) && one_loop(y, facts, {a, divided.input(0), divided.input(1), square}))
    return subtract_product_by_root(a, divided.input(0), divided.input(1), square);
  return subtract_divided_by_root(a, divided, square);
}

}  // namespace

Expr subtract_in_one_loop(const Expr& y, const DraftFacts& facts) {
  const Expr less = less_product(y, facts);
  return less.valid() ? less : product_less(y, facts);
}

Expr divide_in_one_loop(const Expr& y, const DraftFacts& facts) {
  const Expr a = y.input(0);
  const Expr root = y.input(1);
  if (!is_op(root, "sqrt") || !stays_inside(root, y, facts) || same_node(root, a) || y.layout() == Layout::rows)
    return {};
  return one_loop(y, facts, {a, root.input(0)}) ? divide_by_root(a, root.input(0)) : Expr();
}

}  // namespace gradus
