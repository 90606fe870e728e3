#include <gradus/ops/rules.h>

namespace gradus {

bool is_elementwise(const Expr& node) {
  std::vector<Type> types;
  for (int i = 0; i < node.arity(); ++i) types.push_back(node.input(i).type());
  return node.op().row_kernel(types) != nullptr;
}

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

Scaled scaled(const Expr& e) {
  if (!is_floating(e.dtype())) return {1, e};
  if (is_op(e, "negative")) return {-1, e.input(0)};
  if (is_op(e, "multiply"))
    for (const int i : {0, 1})
      if (const std::optional<double> number = constant_number(e.input(i)); number && e.input(1 - i).type() == e.type())
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

}  // namespace gradus
