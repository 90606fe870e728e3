// A program: a draft that will not be rewritten any more, as the plan needs it: by node, which numbers are computed
// and which are another node's.
#pragma once

#include <gradus/core/plan/draft.h>
#include <gradus/core/plan/draft_facts.h>

#include <span>
#include <vector>

namespace gradus {

struct ProgramNode {
  Expr origin;  // the draft's node it stands for
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
  std::vector<int> feeds;        // by feed: its placeholder, or -1 where it is not needed
  std::vector<int> became;       // by node of the user's graph: the node that has its value, or -1
  std::unique_ptr<Graph> graph;  // the draft's, whose ops these are
  DraftFacts facts;              // of that graph

  int root(int node) const { return nodes[static_cast<std::size_t>(node)].root; }
};

Program make_program(Draft draft);

}  // namespace gradus
