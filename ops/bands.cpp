// matrix_transpose and matrix_band_part, as expressions of transpose and mask.
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>

#include <numeric>

namespace gradus {

namespace {

Expr matrices(std::string_view name, const Operand& x) {
  const Expr expr = require_expr(name, x);
  const Given given({expr});
  require_dense(name, *given);
  if (expr.rank() < 2) fail<TypeError>("{}: x is {}; at least two dimensions are expected", name, (*given).shape(0));
  return expr;
}

}  // namespace

Expr matrix_transpose(const Operand& x) {
  const Expr expr = matrices("matrix_transpose", x);
  std::vector<int> perm(static_cast<std::size_t>(expr.rank()));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[perm.size() - 2], perm.back());
  return transpose(x, perm);
}

Expr matrix_band_part(const Operand& x, std::int64_t num_lower, std::int64_t num_upper) {
  const Expr expr = matrices("matrix_band_part", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr below = expand_dims(positions(expr, expr.rank() - 2), 1) - positions(expr, expr.rank() - 1);  // [m, n]
  Expr y = expr;
  if (num_lower >= 0) y = mask(below <= num_lower, y);
  if (num_upper >= 0) y = mask(below >= -num_upper, y);
  return y.id() == expr.id() ? identity(expr) : y;
}

}  // namespace gradus
