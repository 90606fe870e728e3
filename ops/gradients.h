// Reverse mode: gradients as nodes. One walk over the ids downwards from y; each op's rule is asked once per
// input that leads to an x. What nobody asked for is never built.
#pragma once

#include <gradus/core/graph/graph.h>

#include <span>
#include <string>
#include <vector>

namespace gradus {

class Session;

/// What to return for an x on which y does not depend.
enum class Unconnected : std::uint8_t { error, zero };

/// dy/dx for each x, as expressions of x's shape, which can be differentiated again. For y that is not a scalar
/// it is the gradient of the sum of y's elements. The gradient of a table used through gather, or of the dense
/// right operand of a csr product, has layout rows; of a csr value, csr.
/// Throws TypeError where y is not floating, or an x is unconnected and zeros were not asked for.
std::vector<Expr> gradients(const Expr& y, std::span<const Expr> xs, Unconnected unconnected = Unconnected::error);
inline std::vector<Expr> gradients(const Expr& y, std::initializer_list<Expr> xs,
                                   Unconnected unconnected = Unconnected::error) {
  return gradients(y, std::span(xs.begin(), xs.size()), unconnected);
}

/// What a node hands to one of its inputs: a summand of that input's gradient.
struct GradientPart {
  Expr node;
  int input = 0;
  Expr part;  // of the input's shape or one that broadcasts to it, in its layout or as rows
};

/// The reverse walk as data.
struct BackwardWalk {
  std::vector<Expr> gradients;      // one for each x; no expression where y does not depend on it
  std::vector<GradientPart> parts;  // in the order of the walk; those of one input add up to its gradient
};

/// The gradients of y by the xs, and of what they are the sums. Throws as gradients() does, but for an x without one.
BackwardWalk walk_backward(const Expr& y, std::span<const Expr> xs);

}  // namespace gradus
