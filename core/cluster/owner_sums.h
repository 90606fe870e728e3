// Sums over pieces of rows of tables that ranks share out, each for the rank that owns the rows. They are kept by owner
// and by slice of the table from the first piece on, and exchanged slice by slice: so nothing that is made on the way,
// neither a sum of two pieces nor a message, is as large as all rows that a batch names.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/core/cluster/piece_sums.h>
#include <gradus/core/cluster/row_owners.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gradus {

/// Stretches of a table's rows, of which one is exchanged at a time: here the first row of each but the first.
struct RowSlices {
  std::vector<Index> begin{};

  std::size_t count() const { return begin.size() + 1; }
  std::size_t of(Index row) const;
};

class OwnerSums {
 public:
  /// What a piece gives to a sum: rows of a small table, and which rows of the large one these are (null: those that
  /// the index says), whose number of rows is `table_rows`.
  struct Given {
    Tensor rows{};
    std::shared_ptr<const RowIndex> named{};
    std::int64_t table_rows = 0;
    const RowSlices* slices = nullptr;  // of the table; all tables have as many
    std::optional<double> factor{};     // times which they count
  };

  /// `apart`: whether what pieces give is summed as late as the slice is exchanged, which is well where few rows are
  /// those of several pieces: memory that is given up for sums of two would not do for those of four.
  OwnerSums(std::int64_t pieces, const RowOwners& owners, std::size_t slices, bool apart);

  /// As PieceSums::add; the same sums each time.
  void add(std::int64_t piece, std::span<const Given> given);
  /// The sums of all ranks' pieces, of the rows that are this rank's: of each sum about so many. They are gone from
  /// here then.
  std::vector<Tensor> exchanged(Communicator& ranks, std::string_view step, std::span<const std::int64_t> rows);

 private:
  struct Split;

  RowOwners owners_;
  std::vector<std::vector<PieceSums>> parts_;  // by slice, by owner
};

}  // namespace gradus
