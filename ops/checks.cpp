#include <gradus/ops/checks.h>

#include <gradus/core/error.h>

#include <algorithm>

namespace gradus {

std::vector<Type> Given::types_of(const std::vector<Expr>& exprs) {
  std::vector<Type> types;
  for (const Expr& expr : exprs) types.push_back(expr.type());
  return types;
}

bool may_agree(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](std::int64_t x, std::int64_t y) { return x == y || x == any || y == any; });
}

void require_dense(std::string_view op, const OpInputs& in, int i, std::string_view operand) {
  if (in[i].layout != Layout::dense)
    fail<TypeError>("{0}: {1} is {2}; only dense operands fit, and to_dense({1}) writes the zeros out", op, operand,
                    in.layout(i));
}

Expr require_expr(std::string_view op, const Operand& x, std::string_view operand) {
  const Expr expr = x.expr();
  if (!expr.valid())
    fail<TypeError>("{0}: {1} ({2}) is a number or a tensor of no graph; graph.constant({1}) makes it a node", op,
                    operand, to_string(x.where()));
  return expr;
}

}  // namespace gradus
