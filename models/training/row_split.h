// Which rows are held out, to choose and to judge a model by. Rows that are drawn by lot tell how well ratings are told
// that might have been among those to learn from. A model that is used on what comes later, or for people whom it has
// not seen, is judged by such rows: drawn by lot, it looks better than it is.
#pragma once

#include <gradus/models/data/kept_column.h>
#include <gradus/models/data/rows.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

enum class SplitBy : std::uint8_t {
  random,          // rows drawn by lot
  time,            // the latest rows
  user,            // all rows of some users, drawn by lot
  leave_last_out,  // the last row of each user that has two or more
};
/// "random", "time", "user" or "leave-last-out".
std::string_view to_string(SplitBy by);

struct RowSplit {
  SplitBy by = SplitBy::random;
  /// Of time the column that says when; of user and leave_last_out the one that says whose a row is. "": by its name.
  std::string column = {};

  bool operator==(const RowSplit&) const = default;
};
/// "random", "time:when", "user", "user:customer"; and back. Throws ValueError for a text that is no split, and for
/// time without a column.
std::string to_string(const RowSplit& split);
RowSplit row_split_named(std::string_view text);

/// What a split goes by, of each row; [0] what it has no use for. Without times the later of two rows is the one
/// behind.
struct SplitKeys {
  std::vector<Index> user = {};   // from 0   [n]
  std::vector<double> time = {};  // [n]

  SplitKeys take(std::span<const Index> rows) const;
};

/// The times that a column says: numbers, or dates as 2024-01-31, 2024-01-31 12:30 and 2024-01-31T12:30:59.5Z (as
/// seconds since 1970). Throws ValueError, which begins with `name`, for a cell that is neither.   [n]
std::vector<double> times_of(const KeptColumn& column, const std::string& name);

/// About `fraction` of `rows` rows to hold out (`drawn`), and the others; of leave_last_out one of each user. Rows of
/// one time stay together. Throws ValueError where that leaves a part empty.
DrawnRows hold_out(SplitBy by, const SplitKeys& keys, std::int64_t rows, double fraction, std::uint64_t seed);

/// Part `fold` of `folds`, from 0: the rows to test on (`drawn`) and those to learn from. Of random and user the parts
/// are drawn by lot, and all other rows are learnt from. Of time part f is the (f + 2)-th of folds + 1 stretches, and
/// learnt from are those before it; of leave_last_out it is the (folds - f)-th last row of each user that has one more,
/// and learnt from is what comes before it, and all of users with fewer. Throws ValueError where a part is empty.
DrawnRows fold_of(SplitBy by, const SplitKeys& keys, std::int64_t rows, std::int64_t folds, std::int64_t fold,
                  std::uint64_t seed);

}  // namespace gradus
