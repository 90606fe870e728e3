// Softmax, the cross entropies and other losses, each an expression of other ops in its overflow-free form.
#include <gradus/core/error.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <algorithm>
#include <string_view>
#include <vector>

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

Expr sparse_softmax_cross_entropy_with_logits(const Operand& labels, const Operand& logits) {
  constexpr std::string_view op = "sparse_softmax_cross_entropy_with_logits";
  const Expr x = require_expr(op, logits, "logits");
  const Graph::Pin pin = x.graph().pin(logits.where());
  const Expr ids = labels.in(x.graph(), int64, op);
  if (!is_integer(ids.dtype()))
    fail<TypeError>("{}: labels is {}; the numbers of classes, int32 or int64, are expected", op, to_string(ids));
  const auto agree = [](std::int64_t a, std::int64_t b) { return a == b || a == any || b == any; };
  const Shape& all = x.shape();
  if (x.rank() == 0 || !std::equal(ids.shape().begin(), ids.shape().end(), all.begin(), all.end() - 1, agree))
    fail<TypeError>(
        "{}: labels is {} but logits is {}; labels of the shape of logits without its last axis are expected", op,
        to_string(ids), to_string(x));
  const Expr log_p = log_softmax(x);
  // A table look-up of each class in the list of classes: it throws where there is no such class.
  const std::vector<std::int64_t> last{x.rank() - 1}, one{1};
  const Expr classes = range(0, reshape(slice(shape_of(x), last, one), Shape()));
  const Expr known = reshape_like(gather(classes, ids), reduce_max(log_p, -1));
  return -reduce_sum(mask(equal(expand_dims(known, -1), classes), log_p), -1);
}

namespace {

// As tf.losses does with the losses of single elements: their mean, or the sum of the weighted losses over the number
// of weights that are not 0.
Expr mean_of_losses(const Expr& losses, const Operand& weights) {
  if (weights.number() == 1.0) return reduce_mean(losses);
  const Expr weight = weights.in(losses.graph(), losses.dtype(), "weights");
  const Expr counted = cast(not_equal(broadcast_like(weight, losses), 0), losses.dtype());
  return reduce_sum(losses * weight) / maximum(reduce_sum(counted), 1);
}

}  // namespace

Expr log_loss(const Operand& labels, const Operand& predictions, const Operand& weights, double epsilon) {
  const Expr p = require_expr("log_loss", predictions, "predictions");
  const Graph::Pin pin = p.graph().pin(predictions.where());
  const Expr z = labels.in(p.graph(), p.dtype(), "log_loss");
  return mean_of_losses(-(z * log(p + epsilon) + (1 - z) * log(1 - p + epsilon)), weights);
}

Expr huber_loss(const Operand& labels, const Operand& predictions, const Operand& weights, double delta) {
  if (!(delta > 0)) fail<ValueError>("huber_loss: delta is {}; it must be above 0", delta);
  const Expr p = require_expr("huber_loss", predictions, "predictions");
  const Graph::Pin pin = p.graph().pin(predictions.where());
  const Expr error = abs(p - labels), within = minimum(error, delta);
  return mean_of_losses(0.5 * square(within) + delta * (error - within), weights);
}

}  // namespace gradus
