#include <gradus/core/cluster/tables.h>

#include <gradus/core/at.h>
#include <gradus/core/disjoint_sets.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/plan/schedule.h>

namespace gradus {

namespace {

bool have_same_rows(const Expr& a, const Expr& b) {
  return a.rank() > 0 && b.rank() > 0 && a.shape()[0] == b.shape()[0] && a.shape()[0] != 1;
}

}  // namespace

bool names_rows(const Expr& node, std::span<const Type> types, int i) {
  for (int other = 0; other < node.arity(); ++other)
    if (node.op().rows_named_by(types, other) == i) return true;
  return false;
}

bool is_read_at_columns(const Expr& node, int i) {
  const Expr x = node.input(i);
  return node.layout() == Layout::csr && x.layout() == Layout::dense && x.rank() == 1 && is_elementwise(node) &&
         x.shape()[0] == node.shape()[1];
}

Tables::Tables(const Draft& draft, const std::function<bool(const Expr& variable)>& is_large,
               const std::function<bool(const Shape&)>& is_of_batch)
    : size_(at(draft.graph->size())) {
  Graph& graph = *draft.graph;
  bool any_large = false;
  for (NodeId id = 0; id < graph.size() && !any_large; ++id)
    any_large = graph[id].kind() == Kind::variable && is_large(graph[id]);
  if (!any_large) return;
  DisjointSets sets(2 * size_);
  const auto place = [](const Expr& e) { return at(e.id()); };
  const auto join = [&](const Expr& a, const Expr& b) { sets.unite(place(a), place(b)); };
  // Of nodes that are no csr matrices, whose sets are about columns.
  const auto join_rows = [&](const Expr& a, const Expr& b) {
    if (a.layout() != Layout::csr && b.layout() != Layout::csr && have_same_rows(a, b) && !is_of_batch(a.shape()))
      join(a, b);
  };
  const auto look_at = [&](const Expr& node) {
    if (node.kind() == Kind::assign) {
      join(node.input(0), node.input(1));
      join(node, node.input(1));
    }
    if (node.kind() != Kind::op) return;
    const Op& op = node.op();
    std::vector<Type> types;
    for (int i = 0; i < node.arity(); ++i) types.push_back(node.input(i).type());
    if (op.row_kernel(types) != nullptr) {
      for (int i = 0; i < node.arity(); ++i) {
        const Expr x = node.input(i);
        if (x.rank() == node.rank()) join_rows(x, node);
        if (node.layout() == Layout::csr && (x.layout() == Layout::csr || is_read_at_columns(node, i))) join(x, node);
      }
      return;
    }
    if (looks_up_rows(op, types)) join(node.input(0), node.input(1));
    for (int i = 0; i < node.arity(); ++i) {
      const int by = op.rows_named_by(types, i);
      if (by < 0) continue;
      const Expr index = node.input(by);
      sets.unite(place(node.input(i)), place(index) + (index.layout() == Layout::csr ? 0 : size_));
      if (node.layout() == Layout::csr) join(node.input(i), node);
    }
    if (holds_rows(node.type()) && op.traits().rows_from >= 0) join(node.input(op.traits().rows_from), node);
    const bool is_view = op.is_view(types);
    const Tiles tiles = node.rank() > 0 ? op.by_rows(types, node.type()) : Tiles{};
    for (int i = 0; i < node.arity(); ++i) {
      const Expr x = node.input(i);
      if (is_view && i == 0 && x.layout() == node.layout() && x.layout() == Layout::csr) join(x, node);
      if ((is_view && i == 0) || (holds_rows(node.type()) && !op.reads(i))) join_rows(x, node);
      const bool sliced = ((tiles.sliced >> static_cast<unsigned>(i)) & 1U) != 0;
      if (tiles.gives == Tiles::Gives::rows && (sliced || !op.reads(i))) join_rows(x, node);
    }
  };
  for (NodeId id = 0; id < graph.size(); ++id) look_at(graph[id]);

  std::vector<int> number(2 * size_, -1);
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph[id].kind() == Kind::variable && is_large(graph[id]))
      if (int& mine = number[sets.of(place(graph[id]))]; mine < 0) mine = count_++;
  for (std::size_t i = 0; i < 2 * size_; ++i) table_.push_back(number[sets.of(i)]);
}

}  // namespace gradus
