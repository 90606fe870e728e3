// Which rank has which rows of a table that is shared out: row i is the rank's of number i mod R, and there its row
// i / R. So the rows that a batch touches most, wherever they stand together, are spread over all.
#pragma once

#include <cstdint>

namespace gradus {

struct RowOwners {
  int rank = 0, ranks = 1;

  /// How many of a table's rows a rank has.
  static constexpr std::int64_t count(std::int64_t rows, std::int64_t of_rank, std::int64_t ranks) {
    return (rows - of_rank + ranks - 1) / ranks;
  }
  constexpr std::int64_t own(std::int64_t rows) const { return count(rows, rank, ranks); }
  constexpr bool has(std::int64_t row) const { return row % ranks == rank; }
  constexpr std::int64_t here(std::int64_t row) const { return row / ranks; }
  /// The row of the table that is row i of this rank's.
  constexpr std::int64_t row(std::int64_t i) const { return i * ranks + rank; }
};

}  // namespace gradus
