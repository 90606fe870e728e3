// Softmax and the two cross entropies, each an expression of other ops in its overflow-free form.
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

namespace gradus {

namespace {

// x with the greatest element of each slice taken out: exp of it is at most 1. What is taken out cancels in
// softmax, so no gradient needs to flow through it.
Expr shifted(const Expr& x, int axis) { return x - stop_gradient(reduce_max(x, axis, keep_dims)); }

}  // namespace

Expr softmax(const Operand& logits, int axis) {
  const Expr x = require_expr("softmax", logits, "logits");
  resolve_axis("softmax", axis, x.rank());
  const Graph::Pin pin = x.graph().pin(logits.where());
  const Expr e = exp(shifted(x, axis));
  return e / reduce_sum(e, axis, keep_dims);
}

Expr log_softmax(const Operand& logits, int axis) {
  const Expr x = require_expr("log_softmax", logits, "logits");
  resolve_axis("log_softmax", axis, x.rank());
  const Graph::Pin pin = x.graph().pin(logits.where());
  const Expr s = shifted(x, axis);
  return s - log(reduce_sum(exp(s), axis, keep_dims));
}

Expr softmax_cross_entropy_with_logits(const Operand& labels, const Operand& logits, int axis) {
  const Expr x = require_expr("softmax_cross_entropy_with_logits", logits, "logits");
  const Graph::Pin pin = x.graph().pin(logits.where());
  return -reduce_sum(labels * log_softmax(x, axis), axis);
}

Expr l2_loss(const Operand& x) {
  const Expr expr = require_expr("l2_loss", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return 0.5 * reduce_sum(square(expr));
}

}  // namespace gradus
