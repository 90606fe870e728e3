#include <gradus/core/plan/program.h>

#include <algorithm>

namespace gradus {

namespace {

// By node: whether its numbers are needed, and not only its shape.
std::vector<bool> live_nodes(const Draft& draft) {
  std::vector<bool> live(static_cast<std::size_t>(draft.graph->size()), false);
  for (const Expr& fetch : draft.fetches) live[static_cast<std::size_t>(fetch.id())] = true;
  for (NodeId id = draft.graph->size() - 1; id >= 0; --id) {
    const Expr node = (*draft.graph)[id];
    // An assign does not read its variable, it names it.
    for (int i = 0; live[static_cast<std::size_t>(id)] && i < node.arity(); ++i)
      if (node.op().reads(i)) live[static_cast<std::size_t>(node.input(i).id())] = true;
  }
  return live;
}

}  // namespace

Program make_program(Draft draft) {
  Program program;
  program.facts = DraftFacts(draft);
  const std::vector<bool> live = live_nodes(draft);
  for (NodeId id = 0; id < draft.graph->size(); ++id) {
    const Expr node = (*draft.graph)[id];
    ProgramNode copy{node, node.kind(), &node.op(), {}, node.type(), live[static_cast<std::size_t>(id)]};
    std::vector<Type> types;
    for (int i = 0; i < node.arity(); ++i) {
      copy.inputs.push_back(node.input(i).id());
      types.push_back(node.input(i).type());
    }
    copy.is_view = node.kind() == Kind::assign || (node.kind() == Kind::op && node.op().is_view(types));
    copy.root = copy.is_view ? program.root(copy.viewed()) : id;
    program.nodes.push_back(std::move(copy));
  }
  for (const Expr& fetch : draft.fetches) program.fetches.push_back(fetch.id());
  for (const Expr& placeholder : draft.placeholders)
    program.feeds.push_back(placeholder.valid() ? placeholder.id() : -1);
  program.became = std::move(draft.became);
  program.graph = std::move(draft.graph);
  return program;
}

}  // namespace gradus
