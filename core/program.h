// A program: the part of a graph that one run needs, copied, with every type concrete. It belongs to one plan,
// so that passes may rewrite it while the user's graph stays as it is.
#pragma once

#include <gradus/core/op.h>

#include <span>
#include <vector>

namespace gradus {

struct ProgramNode {
  Expr origin;  // the user's node it stands for
  Kind kind;
  const Op* op;
  std::vector<int> inputs;  // positions in the program
  Type type;                // its shape known
  bool live = true;         // false for a node that only lends its shape to others
  bool is_view = false;     // its numbers are those of viewed()
  int root = -1;            // the node whose memory its numbers are in: itself, or what it is a view of

  /// Which input a view shows: an assign is a view of the value assigned.
  int viewed() const { return inputs[kind == Kind::assign ? 1 : 0]; }
};

struct Program {
  std::vector<ProgramNode> nodes;  // inputs come before their users
  std::vector<int> fetches;

  int root(int node) const { return nodes[static_cast<std::size_t>(node)].root; }
};

/// What a run feeds: a placeholder and the type of its value.
struct FedType {
  Expr placeholder;
  Type type;
};

/// Copies what the fetches need and works out all types. Throws FeedError for a needed placeholder that is not
/// fed, and TypeError where fed shapes do not fit the ops they meet.
Program make_program(std::span<const Expr> fetches, std::span<const FedType> feeds);

}  // namespace gradus
