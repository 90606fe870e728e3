// The index structures of the two sparse layouts. Both are immutable once made and shared by every tensor
// with the same non-zeros, so "same pattern" is a comparison of two pointers. Some rows of a matrix have a pattern of
// their own, whose columns are the matrix's: they are not copied.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

class Workers;

/// A row or a column number of a sparse layout; a dimension it counts is at most 2^31 - 1.
using Index = std::int32_t;
inline constexpr std::int64_t max_sparse_dimension = INT32_MAX;

/// The rows of a table that a *rows* tensor holds: ascending, each once.
struct RowIndex {
  std::vector<Index> row;

  std::int64_t count() const { return static_cast<std::int64_t>(row.size()); }
};

/// Where the non-zeros of a CSR matrix are: row i holds positions row_start[i] to row_start[i + 1].
struct CsrPattern {
  CsrPattern();
  ~CsrPattern();

  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<std::int64_t> row_start{0};  // [rows + 1], from 0
  std::span<const Index> column;           // [non-zeros], strictly ascending within a row; set by one of these:

  /// The columns are the ones given.
  void set_column(std::vector<Index> given);
  /// Room for so many columns, to be written. Memory that the pattern has is used again.
  std::span<Index> new_column(std::int64_t count);
  /// The same for `count` rows of `length` non-zeros each.
  std::span<Index> new_rows(std::int64_t count, std::int64_t length);
  /// The non-zeros of another pattern in rows of `length` each, where columns need not ascend, nor differ. What
  /// active() finds out is copied with them.
  void regroup(const CsrPattern& other, std::int64_t length);
  /// Rows first to first + count of `whole`, which must have them; `whole` lives as long as this pattern shows its
  /// columns. row_start is copied (8 bytes a row), so that whoever reads a pattern may count from 0.
  void set_rows(const std::shared_ptr<const CsrPattern>& whole, std::int64_t first, std::int64_t count);

  std::int64_t non_zeros() const { return row_start.back(); }
  /// Whether columns ascend within each row: unless they were regrouped.
  bool ascends() const { return ascends_; }
  /// How many non-zeros each row has, if all have as many; else -1.
  std::int64_t row_length() const;

  /// The columns that hold a non-zero.
  struct Active {
    std::shared_ptr<const RowIndex> columns;  // ascending
    std::vector<Index> slot;                  // [non-zeros]: which of them
  };
  /// The same non-zeros column by column, of the active columns only.
  struct ByColumn {
    std::vector<std::int64_t> start;     // [active + 1], into row and position
    std::vector<Index> row;              // [non-zeros], ascending within a column
    std::vector<std::int64_t> position;  // [non-zeros], where row-wise order keeps the value
  };

  /// Built when first asked for, as row_length() is, then kept until the columns are set anew. Threads may ask at once;
  /// workers, where there are some, share the work.
  const Active& active(Workers* workers = nullptr) const;
  /// active_columns(). Of memory that holds one pattern after the other the slots, which take longer to find, are found
  /// at once only if somebody asked for the last pattern's: a session on a GPU does not.
  const std::shared_ptr<const RowIndex>& active_columns(Workers* workers = nullptr) const;
  const ByColumn& by_column() const;

  /// Throws ValueError unless row_start rises from 0 to the number of columns given and never falls, and columns
  /// lie in range, strictly ascending within each row.
  void check() const;
  /// The half of check() that looks at row_start alone.
  void check_row_start(std::int64_t columns_given) const;

 private:
  void forget();
  void set_equal_rows(std::int64_t count, std::int64_t length);
  std::shared_ptr<RowIndex> index_to_fill() const;
  void find_active(bool slots, Workers* workers) const;

  bool ascends_ = true;
  std::vector<Index> own_;                   // columns, unless they are those of another pattern:
  std::shared_ptr<const CsrPattern> whole_;  // which this keeps alive
  struct Found;                              // what active() and by_column() found out
  std::unique_ptr<Found> found_;
};

}  // namespace gradus
