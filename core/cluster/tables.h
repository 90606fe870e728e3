// Tables that ranks share out by rows, and what goes with them. Variables that are computed with row by row, as a
// weight and what an optimizer keeps of it, are looked up by the same index, or are assigned from one another, are one
// table: each rank has the same rows of all. Of every node of a draft it is said which table's rows its leading axis
// has; of a csr node, which one's its columns are; and of an index, which one's rows it names. Found in one pass from
// what ops answer about rows.
#pragma once

#include <gradus/core/plan/draft.h>

#include <functional>
#include <span>
#include <vector>

namespace gradus {

class Tables {
 public:
  /// Of a draft; `is_large` says of a variable whether it is shared out for its own size, and `is_of_batch` of a shape
  /// whether its leading axis are the rows that are fed.
  Tables(const Draft& draft, const std::function<bool(const Expr& variable)>& is_large,
         const std::function<bool(const Shape&)>& is_of_batch);

  int count() const { return count_; }
  /// The table whose rows are along the node's leading axis, or of a csr node are its columns; -1: none.
  int of(const Expr& node) const { return is_known(node) ? table(static_cast<std::size_t>(node.id())) : -1; }
  /// The table of whose rows the values of the node are numbers; -1: none.
  int named_by(const Expr& node) const {
    return is_known(node) ? table(static_cast<std::size_t>(node.id()) + size_) : -1;
  }

 private:
  bool is_known(const Expr& node) const { return static_cast<std::size_t>(node.id()) < size_; }
  int table(std::size_t place) const { return place < table_.size() ? table_[place] : -1; }

  std::size_t size_;        // nodes of the draft, as it was
  std::vector<int> table_;  // by node, and by node as an index
  int count_ = 0;
};

/// Whether input i of an op names rows of another of its inputs.
bool names_rows(const Expr& node, std::span<const Type> types, int i);
/// Whether input i of an elementwise op, a vector beside csr inputs, is read at their columns alone.
bool is_read_at_columns(const Expr& node, int i);

}  // namespace gradus
