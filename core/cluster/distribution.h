// What of a graph each rank has, where ranks share out the rows of what is fed: every node is the same on all ranks, or
// split (each rank has its own rows), or partial (each has what its rows add to a sum). It is found in one pass from
// what ops answer about rows, as tiles are; where an op can do with no rows of its own, the pass refuses by name.
// Of tables that are shared out (tables.h), and of what is made of them row by row, each rank has its own rows; what
// reads rows of the batch looks them up by an index.
//
// A partial value is summed, by an exchange, where anything but a sum of its kind reads it: what reads it belongs to
// the next stage. So a run is: for each stage, the split nodes for each piece of rows, then the exchange; last, once,
// all that is the same, and the own rows of tables (the update of the variables). A sum over a table's rows, as a
// norm, is of what each owner's own give: its parts are exchanged as its stage begins.
#pragma once

#include <gradus/core/plan/draft.h>

#include <functional>
#include <span>
#include <vector>

namespace gradus {

struct Distribution {
  struct Stage {
    /// Nodes that depend on how many rows there are, and not on what is in them: found with all rows counted.
    std::vector<Expr> counted = {};
    std::vector<Expr> sums = {};     // partial nodes, to be summed
    std::vector<bool> is_mean = {};  // by sum: a part counts as its share of the rows
    std::vector<int> table = {};     // by sum: of whose rows it is, so that their owners add it; -1: all ranks do
    std::vector<Expr> split_fetches = {};
    /// Sums over rows of tables, of which each rank gives its own rows' part.
    struct OfOwners {
      Expr node;
      std::int64_t mean_of = 0;  // of so many rows in all: a part counts as the own rows' share; 0: a sum
    };
    std::vector<OfOwners> of_owners = {};
  };
  /// Variables that have the same owners of their rows, and what names some of them.
  struct Table {
    std::vector<Expr> variables = {};
    std::vector<Expr> looked_up = {};  // of these, and of `known`, what rows of the batch are computed with
    std::vector<Expr> known = {};      // what all ranks have whole, though it goes with the table's rows
    std::vector<Expr> indices = {};    // csr, by its columns, or integers: fed, or found early
  };
  std::vector<Table> tables = {};
  std::vector<Expr> early = {};  // split nodes that are found of each piece before rows are looked up
  /// Nodes that lend their shapes alone to what is the same, and cannot be made where tables have some of their rows.
  struct Lent {
    Expr node;
    Type type;
    int table = -1;  // whose rows it has
  };
  std::vector<Lent> lent = {};
  std::vector<Expr> own_fetches = {};  // of whose rows each rank has its own

  std::vector<Stage> stages;
  std::int64_t together = 1;  // rows that are read at once, as the two of a pair: pieces do not part them
  std::vector<Expr> same_fetches;

  /// Whether ranks must meet for the run: else each computes the rows that it was given, by itself.
  bool exchanges() const;
};

/// Of a run of these fetches; the feeds' types are one rank's. Placeholders that were declared with an `any` first
/// dimension are split, others are taken to be fed alike. Throws TypeError, with the node and its place, for what
/// cannot be shared out, and as make_draft does. `is_large` says which variables are shared out by rows; those that go
/// with them are as well.
Distribution distribute(std::span<const Expr> fetches, std::span<const FedType> feeds, int ranks,
                        const std::function<bool(const Expr& variable)>& is_large = {});

/// Whether a feed is shared out by rows.
bool is_split(const Expr& fed);

}  // namespace gradus
