// Normalization as expressions of other ops. Gradients flow through the moments too.
#include <gradus/core/error.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <numeric>
#include <vector>

namespace gradus {

namespace {

struct MeanAndVariance {
  Expr mean, variance;
};

// Over all elements along the axes. The gradient through the mean in the variance adds up to nothing.
MeanAndVariance moments_of(const Expr& x, const Axes& axes, KeepDims keep) {
  const Expr mean = reduce_mean(x, axes, keep_dims);
  return {keep == keep_dims ? mean : squeeze(mean, axes), reduce_mean(squared_difference(x, mean), axes, keep)};
}

void require_moments(const Expr& x, const MovingMoments& moving) {
  for (const Expr& kept : {moving.mean, moving.variance}) {
    if (!kept.valid() || kept.kind() != Kind::variable)
      fail<TypeError>("batch_normalization: {} is not a variable; moving moments are kept from run to run",
                      to_string(kept));
    if (kept.rank() != 1 || x.rank() < 2 || !matches(Shape({x.shape()[x.rank() - 1]}), kept.shape()))
      fail<TypeError>(
          "batch_normalization: x is {} but {} has moving moments of shape {}; a number for each place of "
          "x's last axis is expected, and another axis before it",
          to_string(x), kept.name(), to_string(kept.shape()));
  }
}

}  // namespace

Expr batch_normalization(const Operand& x, const Operand& mean, const Operand& variance, const Operand& offset,
                         const Operand& scale, double variance_epsilon) {
  const Expr expr = require_expr("batch_normalization", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return (expr - mean) * (scale * rsqrt(variance + variance_epsilon)) + offset;
}

BatchNormalized batch_normalization(const Operand& x, const MovingMoments& moving, const Operand& offset,
                                    const Operand& scale, const Operand& training,
                                    const BatchNormalizationOptions& options) {
  const Expr expr = require_expr("batch_normalization", x);
  require_moments(expr, moving);
  if (!(options.momentum >= 0 && options.momentum <= 1))
    fail<ValueError>("batch_normalization: momentum is {}; it lies in [0, 1]", options.momentum);
  Graph& graph = expr.graph();
  const Graph::Pin pin = graph.pin(x.where());
  std::vector<int> axes(static_cast<std::size_t>(expr.rank() - 1));
  std::iota(axes.begin(), axes.end(), 0);
  const auto [mean, variance] = moments_of(expr, Axes(axes), KeepDims::no);
  const auto moved = [&](const Expr& kept, const Expr& batch) {
    return graph.assign(kept, cond(training, options.momentum * kept + (1 - options.momentum) * batch, kept));
  };
  return {batch_normalization(expr, cond(training, mean, moving.mean), cond(training, variance, moving.variance),
                              offset, scale, options.epsilon),
          graph.group({moved(moving.mean, mean), moved(moving.variance, variance)}, "moving_moments")};
}

Expr layer_normalization(const Operand& x, const Operand& offset, const Operand& scale, const Axes& axes,
                         double epsilon) {
  const Expr expr = require_expr("layer_normalization", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const auto [mean, variance] = moments_of(expr, axes, keep_dims);
  return batch_normalization(expr, mean, variance, offset, scale, epsilon);
}

Expr l2_normalize(const Operand& x, const Axes& axes, double epsilon) {
  const Expr expr = require_expr("l2_normalize", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return expr * rsqrt(maximum(reduce_sum(square(expr), axes, keep_dims), epsilon));
}

Expr cosine_similarity(const Operand& a, const Operand& b, int axis) {
  const Expr expr = require_expr("cosine_similarity", a, "a");
  const Graph::Pin pin = expr.graph().pin(a.where());
  return reduce_sum(l2_normalize(expr, axis) * l2_normalize(require_expr("cosine_similarity", b, "b"), axis), axis);
}

}  // namespace gradus
