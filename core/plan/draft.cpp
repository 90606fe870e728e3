#include <gradus/core/plan/draft.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/nodes.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace gradus {

namespace {

// By node: which of the feeds is its value.
using FedNodes = std::unordered_map<NodeId, std::size_t>;

// For each node up to the newest fetch: needed for its type, or for its numbers too.
enum class Need : std::uint8_t { none, type, numbers };

std::vector<Need> what_is_needed(std::span<const Expr> fetches, const FedNodes& fed) {
  NodeId newest = -1;
  for (const Expr& fetch : fetches) newest = std::max(newest, fetch.id());
  std::vector<Need> need(at(newest + 1), Need::none);
  for (const Expr& fetch : fetches) need[at(fetch.id())] = Need::numbers;
  Graph& graph = fetches.front().graph();
  for (NodeId id = newest; id >= 0; --id) {
    const Need mine = need[at(id)];
    if (mine == Need::none || fed.contains(id)) continue;
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) {
      Need& theirs = need[at(node.input(i).id())];
      theirs = std::max(theirs, mine == Need::numbers && node.op().reads(i) ? Need::numbers : Need::type);
    }
  }
  return need;
}

// Which of two values would stay is nowhere said: each variable is assigned once in a run.
void check_assigned_once(Graph& graph, const std::vector<Need>& need, const FedNodes& fed, std::string_view caller) {
  std::unordered_map<NodeId, NodeId> assigned;  // by variable: its assign
  for (NodeId id = 0; id < static_cast<NodeId>(need.size()); ++id) {
    if (need[at(id)] != Need::numbers || graph[id].kind() != Kind::assign) continue;
    const Expr variable = graph[id].input(0);
    if (fed.contains(variable.id()))
      fail<FeedError>("{}: the variable {} ({}) is fed, and assigned in the same run by {} ({})", caller,
                      variable.name(), to_string(variable.where()), graph[id].name(), to_string(graph[id].where()));
    const auto [first, is_new] = assigned.try_emplace(variable.id(), id);
    if (is_new) continue;
    const auto place = [&](NodeId assign) {
      return fmt::format("{} ({})", graph[assign].name(), to_string(graph[assign].where()));
    };
    fail<ValueError>(
        "{}: the variable {} ({}) would be assigned twice in one run, by {} and by {}; run one after the other, or "
        "assign "
        "what both make of it",
        caller, variable.name(), to_string(variable.where()), place(first->second), place(id));
  }
}

}  // namespace

std::optional<bool> truth_of(const Tensor& fed) {
  if (fed.dtype() != boolean || fed.rank() != 0 || fed.accelerator() != nullptr) return std::nullopt;
  return fed.span<bool>()[0];
}

Draft make_draft(std::span<const Expr> fetches, std::span<const FedType> feeds, const Storage& storage,
                 std::string_view caller) {
  Draft draft{std::make_unique<Graph>(), {}, std::vector<Expr>(feeds.size()), {}};
  if (fetches.empty()) return draft;
  Graph& graph = fetches.front().graph();
  FedNodes fed;
  for (std::size_t f = 0; f < feeds.size(); ++f) fed.emplace(feeds[f].placeholder.id(), f);
  const std::vector<Need> need = what_is_needed(fetches, fed);
  check_assigned_once(graph, need, fed, caller);
  std::vector<Expr> made(need.size());
  std::vector<Expr> inputs;
  std::unordered_map<NodeId, Expr> stored;
  const auto is_transposed = [&](const Expr& variable) {
    const auto number = variable_number(variable);
    return number < storage.transposed.size() && storage.transposed[number];
  };
  for (NodeId id = 0; id < static_cast<NodeId>(need.size()); ++id) {
    if (need[at(id)] == Need::none) continue;
    const Expr node = graph[id];
    inputs.clear();
    if (const auto found = fed.find(id); found != fed.end()) {
      const FedType& given = feeds[found->second];
      if (given.holds) {
        made[at(id)] = draft.graph->constant(Tensor(*given.holds, boolean), node.name(), node.where());
        continue;
      }
      // What ranks feed of a node that keeps the columns of another touches these; what others feed may not.
      Expr columns_of = node;
      while (!storage.rows.empty() && columns_of.kind() == Kind::op && columns_of.op().traits().touches_as_input)
        columns_of = columns_of.input(0);
      made[at(id)] = draft.graph->copy_placeholder(columns_of, given.type, given.ones);
      draft.graph->show_as(made[at(id)], node.name());
      draft.placeholders[found->second] = made[at(id)];
      continue;
    }
    if (node.kind() == Kind::placeholder) {
      if (need[at(id)] == Need::numbers || !node.shape().known())
        fail<FeedError>("{}: the placeholder {} ({}) needs a value: {}", caller, node.name(), to_string(node.where()),
                        to_string(node.type()));
      made[at(id)] = draft.graph->copy_placeholder(node, node.type(), false);
      continue;
    }
    for (int i = 0; i < node.arity(); ++i) inputs.push_back(made[at(node.input(i).id())]);
    if (node.kind() == Kind::variable)
      if (const auto number = variable_number(node); number < storage.rows.size() && storage.rows[number] >= 0) {
        made[at(id)] = draft.graph->copy_with_rows(node, storage.rows[number]);
        continue;
      }
    // A variable that is stored transposed is the transpose of what is stored, and so is a value assigned to it.
    const auto transposed = [&](const Expr& x) { return draft.graph->copy(storage.transposing, {&x, 1}); };
    if (node.kind() == Kind::variable && is_transposed(node)) {
      stored[node.id()] = draft.graph->copy_as_transposed(node);
      made[at(id)] = transposed(stored[node.id()]);
      continue;
    }
    if (node.kind() == Kind::assign && is_transposed(node.input(0))) {
      stored[id] = draft.graph->copy(node, std::array{stored[node.input(0).id()], transposed(inputs[1])});
      made[at(id)] = transposed(stored[id]);
      continue;
    }
    // A group has its assigns done; it does not read their values.
    for (int i = 0; node.kind() == Kind::group && i < node.arity(); ++i)
      if (const auto assign = stored.find(node.input(i).id()); assign != stored.end())
        inputs[static_cast<std::size_t>(i)] = assign->second;
    made[at(id)] = draft.graph->copy(node, inputs);
    if (!made[at(id)].shape().known())
      fail<TypeError>(
          "{}: the shape of {} depends on numbers that the run computes or is fed; shapes may depend on "
          "constants and on shapes",
          caller, to_string(made[at(id)]));
  }
  for (const Expr& fetch : fetches) draft.fetches.push_back(made[at(fetch.id())]);
  for (NodeId id = 0; id < static_cast<NodeId>(made.size()); ++id) {
    const auto as_stored = stored.find(id);
    draft.became.push_back((as_stored == stored.end() ? made[at(id)] : as_stored->second).id());
  }
  return draft;
}

Draft rebuild(const Draft& draft, const Remake& remake) {
  Graph& from = *draft.graph;
  std::vector<bool> needed(static_cast<std::size_t>(from.size()), false);
  for (const Expr& fetch : draft.fetches) needed[at(fetch.id())] = true;
  for (NodeId id = from.size() - 1; id >= 0; --id)
    for (int i = 0; needed[at(id)] && i < from[id].arity(); ++i) needed[at(from[id].input(i).id())] = true;

  Draft next{std::make_unique<Graph>(), {}, {}, {}};
  std::vector<Expr> made(needed.size());
  std::vector<Expr> inputs;
  for (NodeId id = 0; id < from.size(); ++id) {
    if (!needed[at(id)]) continue;
    const Expr node = from[id];
    inputs.clear();
    for (int i = 0; i < node.arity(); ++i) inputs.push_back(made[at(node.input(i).id())]);
    made[at(id)] = node.kind() == Kind::placeholder ? next.graph->copy(node, {}) : remake(node, inputs, *next.graph);
  }
  for (const Expr& fetch : draft.fetches) next.fetches.push_back(made[at(fetch.id())]);
  for (const Expr& p : draft.placeholders) next.placeholders.push_back(p.valid() ? made[at(p.id())] : Expr());
  for (const NodeId id : draft.became) next.became.push_back(id < 0 ? id : made[at(id)].id());
  return next;
}

}  // namespace gradus
