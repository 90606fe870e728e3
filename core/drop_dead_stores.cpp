#include <gradus/core/passes.h>

#include <unordered_map>
#include <vector>

namespace gradus {

Draft drop_dead_stores(Draft draft) {
  const Uses uses(draft);
  // By variable: the last assign of all of it. A run stores in the order of the assigns, and reads old values only:
  // what an earlier one stores is lost unread.
  std::unordered_map<NodeId, NodeId> last;
  bool found = false;
  for (NodeId id = 0; id < draft.graph->size(); ++id) {
    const Expr node = (*draft.graph)[id];
    if (node.kind() != Kind::assign || !uses.reads(node)) continue;
    const NodeId variable = node.input(0).id();
    const bool seen = !last.try_emplace(variable, -1).second;
    found = found || (seen && node.layout() == Layout::dense);
    if (node.layout() == Layout::dense) last[variable] = id;
  }
  if (!found) return draft;
  const auto is_dead = [&](const Expr& node) {
    return node.kind() == Kind::assign && uses.reads(node) && node.id() < last.at(node.input(0).id());
  };
  return rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
    if (is_dead(node)) return inputs[1];  // who reads the assign reads its value
    if (node.kind() != Kind::group) return to.copy(node, inputs);
    std::vector<Expr> members;
    for (int i = 0; i < node.arity(); ++i)
      if (!is_dead(node.input(i))) members.push_back(inputs[static_cast<std::size_t>(i)]);
    return to.copy(node, members);
  });
}

}  // namespace gradus
