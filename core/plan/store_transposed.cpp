#include <gradus/core/plan/store_transposed.h>

#include <gradus/core/graph/nodes.h>
#include <gradus/core/plan/draft_facts.h>

#include <algorithm>

namespace gradus {

namespace {

constexpr std::int64_t worthwhile = 4096;  // numbers: fewer are turned round in no time

bool transposes(const Expr& node) {
  if (node.kind() != Kind::op || node.arity() != 1) return false;
  const Type type = node.input(0).type();
  return node.op().elements({&type, 1}) == Elements::transposed;
}

bool replaces_rows(Graph& graph, const Expr& variable) {
  for (NodeId id = variable.id(); id < graph.size(); ++id)
    if (const Expr node = graph[id];
        node.kind() == Kind::assign && same_node(node.input(0), variable) && node.layout() != Layout::dense)
      return true;
  return false;
}

}  // namespace

std::vector<Expr> wanted_transposed(const Draft& draft, Graph& graph, const std::vector<bool>& transposed) {
  const DraftFacts facts(draft);
  std::vector<Shape> shapes;
  for (NodeId id = 0; id < draft.graph->size(); ++id)
    if (const Expr node = (*draft.graph)[id]; facts.is_live(node) && transposes(node) &&
                                              node.input(0).kind() == Kind::variable &&
                                              node.shape().size() >= worthwhile)
      shapes.push_back(node.input(0).shape());
  std::vector<Expr> wanted;
  for (const Expr& variable : graph.variables()) {
    const std::size_t number = variable_number(variable);
    const bool turned = number < transposed.size() && transposed[number];
    if (turned || std::find(shapes.begin(), shapes.end(), variable.shape()) == shapes.end()) continue;
    if (replaces_rows(graph, variable)) return {};
    wanted.push_back(variable);
  }
  return wanted;
}

std::vector<Expr> unfit_transposed(Graph& graph, const std::vector<bool>& transposed) {
  std::vector<Expr> unfit;
  if (std::find(transposed.begin(), transposed.end(), true) == transposed.end()) return unfit;
  for (const Expr& variable : graph.variables())
    if (const std::size_t number = variable_number(variable);
        number < transposed.size() && transposed[number] && replaces_rows(graph, variable))
      unfit.push_back(variable);
  return unfit;
}

std::int64_t elements_relaid(const Draft& draft) {
  const DraftFacts facts(draft);
  std::int64_t moved = 0;
  for (NodeId id = 0; id < draft.graph->size(); ++id)
    if (const Expr node = (*draft.graph)[id]; facts.is_live(node) && transposes(node)) moved += node.shape().size();
  return moved;
}

Expr transposing_node(Graph& graph) {
  for (NodeId id = 0; id < graph.size(); ++id)
    if (const Expr node = graph[id]; transposes(node)) return node;
  return {};
}

}  // namespace gradus
