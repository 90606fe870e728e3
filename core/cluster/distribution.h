// What of a graph each rank has, where ranks share out the rows of what is fed: every node is the same on all ranks, or
// split (each rank has its own rows), or partial (each has what its rows add to a sum). It is found in one pass from
// what ops answer about rows, as strips are; where an op can do with no rows of its own, the pass refuses by name.
//
// A partial value is summed, by an exchange, where anything but a sum of its kind reads it: what reads it belongs to
// the next stage. So a run is: for each stage, the split nodes for each piece of rows, then the exchange; last, once,
// all that is the same (the update of the variables).
#pragma once

#include <gradus/core/plan/draft.h>

#include <span>
#include <vector>

namespace gradus {

struct Distribution {
  struct Stage {
    /// Nodes that depend on how many rows there are, and not on what is in them: found with all rows counted.
    std::vector<Expr> counted = {};
    std::vector<Expr> sums = {};     // partial nodes, to be summed
    std::vector<bool> is_mean = {};  // by sum: a part counts as its share of the rows
    std::vector<Expr> split_fetches = {};
  };
  std::vector<Stage> stages;
  std::int64_t together = 1;  // rows that are read at once, as the two of a pair: pieces do not part them
  std::vector<Expr> same_fetches;

  /// Whether ranks must meet for the run: else each computes the rows that it was given, by itself.
  bool exchanges() const;
};

/// Of a run of these fetches; the feeds' types are one rank's. Placeholders that were declared with an `any` first
/// dimension are split, others are taken to be fed alike. Throws TypeError, with the node and its place, for what
/// cannot be shared out, and as make_draft does.
Distribution distribute(std::span<const Expr> fetches, std::span<const FedType> feeds, int ranks);

/// Whether a feed is shared out by rows.
bool is_split(const Expr& fed);

}  // namespace gradus
