#include <gradus/core/passes.h>

namespace gradus {

Expr fuse_elementwise(const Expr& y, Rewriting& rewriting) {
  if (y.kind() != Kind::op) return y;
  const Graph::Pin pin = rewriting.graph.pin(y.where(), true);
  const Expr fused = y.op().fused(y, rewriting.uses);
  if (!fused || fused.type() != y.type()) return y;
  rewriting.graph.show_as(fused, y.name());
  return fused;
}

}  // namespace gradus
