#include <gradus/optim/clip.h>

#include <gradus/core/error.h>
#include <gradus/ops/checks.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

void require_floating(std::string_view function, const Expr& x) {
  if (!x.valid() || !is_floating(x.dtype()))
    fail<TypeError>("{}: {} has no norm; float32 or float64 is expected", function, to_string(x));
}

void require_norm(std::string_view function, const Operand& norm) {
  if (const std::optional<double> number = norm.number()) {
    if (!(*number > 0 && std::isfinite(*number)))
      fail<ValueError>("{}: norm is {}; a number above 0 is expected", function, *number);
    return;
  }
  const Expr expr = require_expr(function, norm, "norm");
  if (!is_floating(expr.dtype()) || expr.rank() != 0)
    fail<TypeError>("{}: norm is {}; a floating scalar is expected", function, to_string(expr));
}

// The root of a sum of squares; its derivative is 0, not NaN, where all are 0.
Expr root(const Expr& sum) {
  const Expr positive = greater(sum, 0);
  return where(positive, sqrt(where(positive, sum, 1)), sum);
}

// What to multiply by: exactly 1 up to the norm wanted. Infinity less itself is NaN.
Expr clip_factor(const Expr& norm, const Operand& wanted) { return wanted / maximum(norm, wanted) + (norm - norm); }

Operand in_dtype(const Operand& x, DType dtype) {
  const Expr expr = x.expr();
  return expr.valid() && expr.dtype() != dtype ? Operand(cast(expr, dtype)) : x;
}

}  // namespace

Expr clip_by_norm(const Operand& x, const Operand& norm, const Axes& axes) {
  const Expr value = require_expr("clip_by_norm", x);
  require_floating("clip_by_norm", value);
  require_norm("clip_by_norm", norm);
  const Graph::Pin pin = value.graph().pin(x.where());
  const Expr length = root(reduce_sum(square(value), axes, keep_dims));
  return value * clip_factor(length, in_dtype(norm, value.dtype()));
}

Expr global_norm(std::span<const Expr> values, Location where) {
  if (values.empty()) fail<TypeError>("global_norm: the list is empty");
  for (const Expr& value : values) require_floating("global_norm", value);
  const Graph::Pin pin = values.front().graph().pin(where);
  const bool wide = std::any_of(values.begin(), values.end(), [](const Expr& v) { return v.dtype() == float64; });
  Expr sum;
  for (const Expr& value : values) {
    const Operand squares = in_dtype(reduce_sum(square(value)), wide ? float64 : float32);
    sum = sum.valid() ? sum + squares : squares.expr();
  }
  return root(sum);
}

ClippedByGlobalNorm clip_by_global_norm(std::span<const Expr> values, const Operand& norm, Location where) {
  require_norm("clip_by_global_norm", norm);
  const Expr length = global_norm(values, where);
  const Graph::Pin pin = length.graph().pin(where);
  const Expr factor = clip_factor(length, in_dtype(norm, length.dtype()));
  std::vector<Expr> clipped;
  for (const Expr& value : values) clipped.push_back(value * in_dtype(factor, value.dtype()));
  return {std::move(clipped), length};
}

}  // namespace gradus
