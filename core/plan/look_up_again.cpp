#include <gradus/core/plan/look_up_again.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/op.h>

#include <array>
#include <vector>

namespace gradus {

Draft look_up_again(const Draft& draft) {
  std::vector<NodeId> table_of(at(draft.graph->size()), -1);  // by node: the variable whose new value it is
  for (NodeId id = 0; id < draft.graph->size(); ++id) {
    const Expr node = (*draft.graph)[id];
    if (node.kind() == Kind::assign) table_of[at(node.input(1).id())] = node.input(0).id();
  }
  const auto is_old_value = [&](const Expr& e, NodeId table) {
    return e.kind() == Kind::op && e.arity() == 2 &&
           looks_up_rows(e.op(), std::array{e.input(0).type(), e.input(1).type()}) && e.input(0).id() == table;
  };
  std::vector<Expr> mine;
  return rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
    mine.assign(inputs.begin(), inputs.end());
    for (int i = 0; i < node.arity() && table_of[at(node.id())] >= 0; ++i)
      if (is_old_value(node.input(i), table_of[at(node.id())]))
        mine[at(i)] = to.copy(mine[at(i)], std::array{mine[at(i)].input(0), mine[at(i)].input(1)});
    return to.copy(node, mine);
  });
}

}  // namespace gradus
