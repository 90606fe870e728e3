#include <gradus/ops/rules.h>

#include <cmath>

namespace gradus {

Expr transposed_matrix(const Expr& e) {
  if (!is_op(e, "transpose") || e.rank() != 2 || e.layout() != Layout::dense) return {};
  const Type type = e.input(0).type();
  const bool swaps = e.shape() == Shape({type.shape[1], type.shape[0]});
  return swaps && type.layout == Layout::dense && !e.op().is_view({&type, 1}) ? e.input(0) : Expr();
}

Expr repeated(const Expr& e) {
  if (e.kind() != Kind::op || (e.op().name() != "broadcast_to" && e.op().name() != "fill")) return {};
  return e.input(0);
}

bool is_moderate(double factor) { return std::abs(factor) >= 0x1p-20 && std::abs(factor) <= 0x1p20; }

Scaled scaled(const Expr& e) {
  if (!is_floating(e.dtype())) return {1, e};
  if (is_op(e, "negative")) return {-1, e.input(0)};
  if (is_op(e, "multiply"))
    for (const int i : {0, 1})
      if (const std::optional<double> number = constant_number(e.input(i));
          number && is_moderate(*number) && e.input(1 - i).type() == e.type())
        return {*number, e.input(1 - i)};
  return {1, e};
}

Expr one_factor(const Expr& e) {
  const auto [factor, x] = scaled(e);
  if (x == e) return {};
  const auto [inner_factor, inner] = scaled(x);
  if (factor * inner_factor == 1) return inner;
  return inner == x ? Expr() : factor * inner_factor * inner;
}

Expr touched_rows(const Expr& table, const Expr& csr) {
  if (table.layout() != Layout::dense || table.rank() == 0 || table.shape()[0] != csr.shape()[1]) return {};
  if (table.kind() == Kind::variable) return touched_part(table, csr);
  if (table.kind() != Kind::op) return {};
  const auto inner = [&](int i) { return touched_rows(table.input(i), csr); };
  if (is_op(table, "reshape")) {
    const Expr part = table.shape()[0] == table.input(0).shape()[0] ? inner(0) : Expr();
    return part ? reshape(part, table.shape()) : Expr();
  }
  if (is_op(table, "row_dots")) {
    const Expr a = inner(0), b = inner(1);
    return a && b ? row_dots(a, b) : Expr();
  }
  if (!is_op(table, "square")) return {};
  const Expr part = inner(0);
  return part ? square(part) : Expr();
}

}  // namespace gradus
