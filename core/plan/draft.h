// A draft: a plan's own copy of the part of the graph that a run needs, with every type concrete. It is a graph like
// the user's, so that the passes which rewrite it can be written with the same ops; the user's graph stays as it is.
#pragma once

#include <gradus/core/graph/op.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace gradus {

/// What a run feeds: a placeholder (or another node, which is not computed then), the type of its value, whether that
/// is a csr tensor of ones, and the value of a bool scalar: of it a plan is made, so that of cond() it computes one
/// side.
struct FedType {
  Expr placeholder;
  Type type;
  bool ones = false;
  std::optional<bool> holds = {};
};
/// The value of a bool scalar on the host.
std::optional<bool> truth_of(const Tensor& fed);
inline FedType fed_type(const Expr& placeholder, const Tensor& value) {
  return {placeholder, value.type(), value.ones(), truth_of(value)};
}

struct Draft {
  std::unique_ptr<Graph> graph;
  std::vector<Expr> fetches;
  std::vector<Expr> placeholders;  // by feed; no expression where a run need not be given it
  std::vector<NodeId> became;      // by node of the user's graph: the node here that has its value, or -1
};

/// How a session stores its variables: which are transposed, by number, and a node that transposes a matrix; and of
/// which it has some rows alone: how many, by number, or -1.
struct Storage {
  std::vector<bool> transposed = {};
  Expr transposing = {};
  std::vector<std::int64_t> rows = {};
};

/// Copies what the fetches need and works out all types. Throws FeedError for a needed placeholder that is not fed,
/// ValueError for a variable that two assigns of the run would set, and TypeError where fed shapes do not fit the ops
/// they meet, or a shape depends on what the run computes. `caller` begins messages.
Draft make_draft(std::span<const Expr> fetches, std::span<const FedType> feeds, const Storage& storage = {},
                 std::string_view caller = "run");

/// What becomes of a node in the next draft: an expression in `to`, of the same type, on the inputs given.
using Remake = std::function<Expr(const Expr& node, std::span<const Expr> inputs, Graph& to)>;

/// The next draft: every node that a fetch still needs, remade in order.
Draft rebuild(const Draft& draft, const Remake& remake);

}  // namespace gradus
