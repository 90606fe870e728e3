#include <gradus/core/plan/draft_facts.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/plan/draft.h>

#include <algorithm>

namespace gradus {

namespace {

// The first that is fed of what touches the same columns, where a csr node is fed.
NodeId first_with_columns(const Expr& csr) {
  const auto columns_of = [](const Expr& e) {
    return e.kind() == Kind::placeholder ? static_cast<const PlaceholderOp&>(e.op()).columns_of() : -1;
  };
  const NodeId mine = columns_of(csr);
  if (mine < 0) return csr.id();
  Graph& graph = csr.graph();
  NodeId first = 0;
  while (columns_of(graph[first]) != mine || graph[first].layout() != Layout::csr) ++first;
  return first;
}

}  // namespace

// From the fetches down: a node that a rule made in vain is no reader.
DraftFacts::DraftFacts(const Draft& draft) : readers_(static_cast<std::size_t>(draft.graph->size()), 0) {
  for (const Expr& fetch : draft.fetches) ++readers_[at(fetch.id())];
  for (NodeId id = draft.graph->size() - 1; id >= 0; --id) {
    const Expr node = (*draft.graph)[id];
    for (int i = 0; readers_[at(id)] > 0 && i < node.arity(); ++i) ++readers_[at(node.input(i).id())];
  }
}

int DraftFacts::readers(const Expr& node) const {
  return at(node.id()) < readers_.size() ? std::max(1, readers_[at(node.id())]) : 1;
}

bool DraftFacts::is_live(const Expr& node) const {
  return at(node.id()) < readers_.size() && readers_[at(node.id())] > 0;
}

void DraftFacts::add_readers(const Expr& node, int readers) {
  if (readers_.size() <= at(node.id())) readers_.resize(at(node.id()) + 1, 0);
  readers_[at(node.id())] += readers;
}

Expr DraftFacts::pattern_source(const Expr& csr) const { return csr.graph()[sources(csr).pattern]; }

Expr DraftFacts::columns_source(const Expr& csr) const { return csr.graph()[sources(csr).columns]; }

Expr DraftFacts::row_set(const Expr& rows) const {
  const NodeId source = sources(rows).rows;
  return source == unknown ? Expr() : rows.graph()[source];
}

Expr& DraftFacts::gathered(const Expr& table, const Expr& csr) const {
  return gathered_[static_cast<std::uint64_t>(table.id()) << 32 | static_cast<std::uint32_t>(csr.id())];
}

const DraftFacts::Sources& DraftFacts::sources(const Expr& node) const {
  while (sources_.size() <= at(node.id()))
    sources_.push_back(found_from_inputs(node.graph()[static_cast<NodeId>(sources_.size())]));
  return sources_[at(node.id())];
}

DraftFacts::Sources DraftFacts::found_from_inputs(const Expr& node) const {
  Sources found;
  if (node.layout() == Layout::dense) return found;
  const bool elementwise = node.kind() == Kind::op && is_elementwise(node);
  if (node.layout() == Layout::csr) {
    // The pattern of an elementwise result is that of its csr operands, if they have one and the same.
    bool one = elementwise;
    for (int i = 0; i < node.arity() && one; ++i) {
      if (node.input(i).layout() != Layout::csr) continue;
      const NodeId mine = sources_[at(node.input(i).id())].pattern;
      one = found.pattern == unknown || found.pattern == mine;
      found.pattern = mine;
    }
    if (!one || found.pattern == unknown) found.pattern = node.id();
    if (found.pattern != node.id()) {
      found.columns = sources_[at(found.pattern)].columns;
    } else {
      const bool keeps = node.kind() == Kind::op && node.op().traits().touches_as_input;
      found.columns = keeps ? sources_[at(node.input(0).id())].columns : first_with_columns(node);
    }
    return found;
  }
  // Rows that are fed, as sums of several ranks are, say themselves which they are.
  if (node.kind() == Kind::placeholder) return {unknown, unknown, node.id()};
  if (node.kind() == Kind::assign) return {unknown, unknown, sources_[at(node.input(1).id())].rows};
  if (node.kind() != Kind::op) return found;
  const int from = elementwise ? -1 : node.op().traits().rows_from;
  for (int i = 0; i < node.arity(); ++i) {
    const Expr input = node.input(i);
    if ((!elementwise && i != from) || input.layout() == Layout::dense) continue;
    const Sources& theirs = sources_[at(input.id())];
    const NodeId mine = input.layout() == Layout::csr ? theirs.columns : theirs.rows;
    if (mine == unknown || (found.rows != unknown && found.rows != mine)) return {};
    found.rows = mine;
  }
  return found;
}

}  // namespace gradus
