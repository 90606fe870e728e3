// A draft: a plan's own copy of the part of the graph that a run needs, with every type concrete. It is a graph like
// the user's, so that the passes which rewrite it can be written with the same ops; the user's graph stays as it is.
#pragma once

#include <gradus/core/graph/op.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

/// What a run feeds: a placeholder, the type of its value, and whether that is a csr tensor of ones.
struct FedType {
  Expr placeholder;
  Type type;
  bool ones = false;
};

struct Draft {
  std::unique_ptr<Graph> graph;
  std::vector<Expr> fetches;
  std::vector<Expr> placeholders;  // by feed; no expression where the fetches do not need it
  std::vector<NodeId> became;      // by node of the user's graph: the node here that has its value, or -1
};

/// How a session stores its variables: which are transposed, by number, and a node that transposes a matrix.
struct Storage {
  std::vector<bool> transposed;
  Expr transposing;
};

/// Copies what the fetches need and works out all types. Throws FeedError for a needed placeholder that is not fed,
/// ValueError for a variable that two assigns of the run would set, and TypeError where fed shapes do not fit the ops
/// they meet. `caller` begins messages.
Draft make_draft(std::span<const Expr> fetches, std::span<const FedType> feeds, const Storage& storage = {},
                 std::string_view caller = "run");

/// What becomes of a node in the next draft: an expression in `to`, of the same type, on the inputs given.
using Remake = std::function<Expr(const Expr& node, std::span<const Expr> inputs, Graph& to)>;

/// The next draft: every node that a fetch still needs, remade in order.
Draft rebuild(const Draft& draft, const Remake& remake);

}  // namespace gradus
