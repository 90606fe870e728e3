// What of each node of a draft a rank has, found upwards: the rules of distribution.h. Internal to core/cluster.
#pragma once

#include <gradus/core/cluster/tables.h>
#include <gradus/core/plan/draft_facts.h>

#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace gradus {

enum class Held : std::uint8_t {
  same,
  split,      // rows of its leading axis
  turned,     // columns: the transpose of a split matrix
  partial,    // what rows add to a sum
  mean,       // what rows add to a mean: a part counts as its share of the rows
  counted,    // the same, but it depends on how many rows there are
  owned,      // of a table's rows, a rank's own
  of_owners,  // a sum over a table's rows, to which each rank adds what its own give
};

struct Holding {
  Held held = Held::same;
  int stage = 0;       // in which it is computed
  bool meets = false;  // of a split node: whether it depends on rows of tables
};

inline bool is_sum(Held held) { return held == Held::partial || held == Held::mean; }
inline bool holds_some(Held held) { return held == Held::split || held == Held::turned; }

class Walk {
 public:
  /// `number` is one of which axes of rows alone are multiples.
  /// `read` says of each node whether its numbers are, and not just its type.
  Walk(Draft& draft, const Tables& tables, const std::vector<bool>& read, std::int64_t number, int ranks)
      : graph_(*draft.graph), facts_(draft), tables_(tables), read_(read), number_(number), ranks_(ranks) {}

  const Holding& of(const Expr& node) const { return holdings_.at(node.id()); }
  /// Of a node whose inputs are known.
  void look_at(const Expr& node) { holdings_[node.id()] = found_of(node); }
  /// When a reader of the node may be computed at the earliest.
  int ready(const Expr& node) const {
    const Holding& holding = of(node);
    return holding.stage + (is_sum(holding.held) || holding.held == Held::of_owners ? 1 : 0);
  }
  bool is_of_rows(const Shape& shape) const;
  /// Whether each owner of a table's rows has its own of the node, once it is summed.
  bool goes_to_owners(const Expr& node) const {
    const Held held = of(node).held;
    return held == Held::owned || (is_sum(held) && holds_rows(node.type()) && tables_.of(node) >= 0);
  }
  /// Nodes that are found of each piece before others, and those with a table's rows that all ranks have whole.
  bool is_early(const Expr& node) const { return early_.contains(node.id()); }
  bool is_known(const Expr& node) const { return known_.contains(node.id()); }

 private:
  Holding found_of(const Expr& node);
  // A sum of sums, times what is the same, is a sum: the exchange can wait, where nothing else reads them.
  std::optional<Holding> as_sum(const Expr& node);
  std::optional<Held> by_rows(const Expr& node);

  // walk_tables.cpp: nodes that have to do with a table's rows; nothing of others.
  bool has_to_do_with_tables(const Expr& node) const;
  std::optional<Holding> of_tables(const Expr& node, Holding found);
  bool must_be_early(const Expr& node, const std::vector<Type>& types);
  bool goes_by_own_rows(const Expr& node, const std::vector<Type>& types) const;
  bool sums_own_rows(const Expr& node, const std::vector<Type>& types) const;
  bool depends_on_constants(const Expr& node) const;

  [[noreturn]] void refuse(const Expr& node, std::string_view why);
  // `with` is an input that has rows of a table, or is looked up in one.
  [[noreturn]] void refuse_table(const Expr& node, const Expr& with, std::string_view why);

  Graph& graph_;
  DraftFacts facts_;
  const Tables& tables_;
  const std::vector<bool>& read_;
  std::int64_t number_;
  int ranks_;
  static constexpr int most_rewritings = 16;
  int rewritings_ = 0;  // of what a rewriting has made
  std::unordered_map<NodeId, Holding> holdings_;
  std::unordered_set<NodeId> early_, known_;
};

/// "concat axis=1 (concat, model.cpp:14)".
std::string op_and_place(const Expr& node);

}  // namespace gradus
