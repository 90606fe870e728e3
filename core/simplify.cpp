#include <gradus/core/passes.h>

namespace gradus {

Draft simplify(const Draft& draft) {
  const Uses before(draft);
  Uses uses;
  return rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
    const Expr copy = to.copy(node, inputs);
    Expr result = copy;
    if (node.kind() == Kind::op) {
      const Graph::Pin pin = to.pin(node.where(), true);
      const NodeId newest = to.size();
      const Expr better = copy.op().simplified(copy, uses);
      if (better && better.type() == copy.type()) {
        result = better;
        if (better.id() >= newest) to.show_as(better, node.name());
      }
    }
    uses.add(result, before.of(node));
    return result;
  });
}

}  // namespace gradus
