#include <gradus/core/program.h>

#include <gradus/core/nodes.h>

#include <algorithm>
#include <unordered_map>

namespace gradus {

namespace {

// For each node up to the newest fetch: needed for its type, or for its numbers too.
enum class Need : std::uint8_t { none, type, numbers };

std::vector<Need> what_is_needed(std::span<const Expr> fetches) {
  NodeId newest = -1;
  for (const Expr& fetch : fetches) newest = std::max(newest, fetch.id());
  std::vector<Need> need(static_cast<std::size_t>(newest) + 1, Need::none);
  for (const Expr& fetch : fetches) need[static_cast<std::size_t>(fetch.id())] = Need::numbers;
  Graph& graph = fetches.front().graph();
  for (NodeId id = newest; id >= 0; --id) {
    const Need mine = need[static_cast<std::size_t>(id)];
    if (mine == Need::none) continue;
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) {
      // An assign does not read its variable, it names it.
      const bool reads = node.kind() == Kind::assign ? i == 1 : node.op().reads(i);
      Need& theirs = need[static_cast<std::size_t>(node.input(i).id())];
      theirs = std::max(theirs, mine == Need::numbers && reads ? Need::numbers : Need::type);
    }
  }
  return need;
}

Type concrete_type(const Expr& node, Need need, const OpInputs& inputs, std::span<const FedType> feeds) {
  if (node.kind() == Kind::placeholder) {
    const auto fed = std::find_if(feeds.begin(), feeds.end(), [&](const FedType& f) { return f.placeholder == node; });
    if (fed != feeds.end()) return fed->type;
    if (need == Need::type && node.shape().known()) return node.type();
    fail<FeedError>("run: the placeholder {} ({}) needs a value: {}", node.name(), to_string(node.where()),
                    to_string(node.type()));
  }
  if (node.kind() == Kind::constant || node.kind() == Kind::variable) return node.type();
  return node.op().infer(inputs);
}

}  // namespace

Program make_program(std::span<const Expr> fetches, std::span<const FedType> feeds) {
  Program program;
  if (fetches.empty()) return program;
  Graph& graph = fetches.front().graph();
  const std::vector<Need> need = what_is_needed(fetches);
  std::vector<int> position(need.size(), -1);
  for (NodeId id = 0; id < static_cast<NodeId>(need.size()); ++id) {
    const auto at = static_cast<std::size_t>(id);
    if (need[at] == Need::none) continue;
    const Expr node = graph[id];
    ProgramNode copy{node, node.kind(), &node.op(), {}, {}, need[at] == Need::numbers};
    std::vector<Type> types;
    std::vector<Expr> exprs;
    for (int i = 0; i < node.arity(); ++i) {
      copy.inputs.push_back(position[static_cast<std::size_t>(node.input(i).id())]);
      types.push_back(program.nodes[static_cast<std::size_t>(copy.inputs.back())].type);
      exprs.push_back(node.input(i));
    }
    copy.type = concrete_type(node, need[at], {types, exprs}, feeds);
    copy.is_view = node.kind() == Kind::assign || (node.kind() == Kind::op && node.op().is_view(types));
    position[at] = static_cast<int>(program.nodes.size());
    copy.root = copy.is_view ? program.root(copy.viewed()) : position[at];
    program.nodes.push_back(std::move(copy));
  }
  for (const Expr& fetch : fetches) program.fetches.push_back(position[static_cast<std::size_t>(fetch.id())]);
  return program;
}

}  // namespace gradus
