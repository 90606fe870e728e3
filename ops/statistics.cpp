// Variance, standard deviation and counts, as expressions of sums and means.
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

namespace gradus {

namespace {

// The variance as the mean of what is left beside the mean: never negative, and free of cancellation.
Moments moments_of(std::string_view name, const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr expr = require_expr(name, x);
  const Given given({expr});
  require_dense(name, *given);
  if (!is_floating(expr.dtype()))
    fail<TypeError>("{}: x is {}; cast it to a floating type first", name, (*given).dtype(0));
  const Axes resolved(axes.resolve(name, expr.rank()));
  const Graph::Pin pin = expr.graph().pin(x.where());
  const Expr mean = reduce_mean(expr, resolved, KeepDims::yes);
  // Though the derivative by the mean is 0, the second one by it is not: no stop_gradient here.
  const Expr variance = reduce_mean(squared_difference(expr, mean), resolved, keep);
  return {keep == KeepDims::yes ? mean : squeeze(mean, resolved), variance};
}

}  // namespace

Moments moments(const Operand& x, const Axes& axes, KeepDims keep) { return moments_of("moments", x, axes, keep); }

Expr reduce_variance(const Operand& x, const Axes& axes, KeepDims keep) {
  return moments_of("reduce_variance", x, axes, keep).variance;
}

Expr reduce_std(const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr variance = moments_of("reduce_std", x, axes, keep).variance;
  const Graph::Pin pin = variance.graph().pin(variance.where());
  return sqrt(variance);
}

Expr count_nonzero(const Operand& x, const Axes& axes, KeepDims keep, DType dtype) {
  const Expr expr = require_expr("count_nonzero", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return reduce_sum(cast(cast(expr, boolean), dtype), Axes(axes.resolve("count_nonzero", expr.rank())), keep);
}

}  // namespace gradus
