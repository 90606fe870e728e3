// Rows of a table that a rank's pieces name, as their owners tell them. They are kept by the last piece that names
// them, and let go of when that has been given its rows: so they become fewer as the pieces' sums become more.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

class ToldRows {
 public:
  ToldRows() = default;
  /// Of what each piece names, ascending.
  ToldRows(std::vector<std::shared_ptr<const RowIndex>> by_piece, int ranks);

  /// What any piece names, ascending.
  const std::vector<Index>& named() const { return named_; }
  /// How many rows pieces name, all together.
  std::size_t named_in_all() const { return named_in_all_; }
  const std::shared_ptr<const RowIndex>& named_by(std::size_t piece) const { return by_piece_.at(piece); }

  /// Before rows of a variable come, the next in order: `row` is the type of one row, [1, ...], and `capacity` says how
  /// many rows each piece's small table has.
  void expect(const Type& row, std::span<const std::int64_t> capacity);
  /// Rows named()[first] to named()[last - 1] of a variable, from their owners, each of which tells its own ascending:
  /// `from` says where, and then where the next are.
  void take(std::size_t variable, std::size_t first, std::size_t last, std::span<const std::byte*> from);
  /// A small table of the rows that a piece names, and zeros up to `capacity`. `last`: neither this piece nor those
  /// before it need rows of the variable any more.
  Tensor rows_of(std::size_t variable, std::size_t piece, std::int64_t capacity, bool last);

 private:
  struct Variable {
    Type row{};
    std::vector<Tensor> rows{};        // by group
    std::vector<std::size_t> taken{};  // of each so many bytes
  };
  std::size_t group_of(std::size_t piece) const { return piece * groups_ / by_piece_.size(); }

  std::vector<std::shared_ptr<const RowIndex>> by_piece_{};
  int ranks_ = 1;
  std::size_t groups_ = 0;  // neighbouring pieces are one, where they are many
  std::vector<Index> named_{};
  std::size_t named_in_all_ = 0;
  std::vector<std::uint8_t> group_{};  // of each: the last that names it
  std::vector<std::int64_t> count_{};  // by group
  std::vector<Variable> variables_{};
};

}  // namespace gradus
