// What passes and rules ask of the nodes of a draft: who reads a node, which csr matrix has the non-zeros of a csr
// node, which one's active columns are the rows that a row-sparse node holds. Each is found once for a node, from its
// inputs' facts, as the draft grows: no question walks through the graph.
#pragma once

#include <gradus/core/graph/graph.h>

#include <unordered_map>
#include <vector>

namespace gradus {

struct Draft;

/// Of one draft: its nodes, and those that are added to its graph later.
class DraftFacts {
 public:
  DraftFacts() = default;
  explicit DraftFacts(const Draft& draft);

  /// How many nodes read this one, of those that the fetches need; a fetch counts as one. At least 1: a node that was
  /// made a moment ago has the one reader it was made for.
  int readers(const Expr& node) const;
  /// Whether anything that the fetches need reads the node, or it is fetched.
  bool is_live(const Expr& node) const;
  void add_readers(const Expr& node, int readers);

  /// The csr node whose pattern a csr node has, as far back as elementwise ops lead to one alone.
  Expr pattern_source(const Expr& csr) const;
  /// The csr node with the same active columns as a csr node, as far back as ops lead that keep them.
  Expr columns_source(const Expr& csr) const;
  /// The csr matrix whose active columns are the rows that a row-sparse or gathered node holds, or the fed rows that
  /// hold the same; none if it is not known.
  Expr row_set(const Expr& rows) const;

  /// Of a table, what has its rows at the active columns of a csr node, once a rule has made it; else no expression.
  Expr& gathered(const Expr& table, const Expr& csr) const;

 private:
  static constexpr NodeId unknown = -1;
  struct Sources {
    NodeId pattern = unknown, columns = unknown;  // of a csr node
    NodeId rows = unknown;                        // of a row-sparse or gathered one
  };
  const Sources& sources(const Expr& node) const;
  Sources found_from_inputs(const Expr& node) const;

  std::vector<int> readers_;
  mutable std::vector<Sources> sources_;  // by node, as far as was asked
  mutable std::unordered_map<std::uint64_t, Expr> gathered_;
};

}  // namespace gradus
