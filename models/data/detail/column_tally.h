// What the columns of a table are, where nobody has said it: found from all cells of the rows to learn from and from
// the words of the columns' names, and told with the reason. The rules, first to last:
//   a nameless column of nothing, or that counts the rows (what pandas writes), is left out;
//   cells that are all numbers, unknown ones aside, are an amount, unless they are whole and the name says that they
//   tell things apart (userId, zip_code), they are written with leading zeros, or all have the same five digits or more
//   and occur twice or more often: then each is a category;
//   all else is text, and each different cell a category.
#pragma once

#include <gradus/models/data/column_findings.h>
#include <gradus/models/data/detail/cell.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace gradus {

/// Whether a column's name says that it tells things apart: one of its words (userId, user_id, zip code) is id, user,
/// item, movie, customer, product, shop, zip, code and the like.
bool names_things(std::string_view column);

/// Whether one of its words says that it tells people apart: userId, customer, uid.
bool names_people(std::string_view column);

/// Whether its last word says that it tells when something was: clicked_at, created time, timestamp.
bool names_time(std::string_view column);

/// What the cells of a column are, counted.
struct ColumnTally {
  static constexpr std::string_view separators = "|;,/ ";  // between several values of a cell

  std::int64_t cells = 0, missing = 0, numbers = 0, whole = 0, texts = 0;
  std::int64_t other_decimal = 0;  // texts that are numbers if the decimal mark is the other one
  double least = std::numeric_limits<double>::infinity(), greatest = -least;
  Marks marks = 0;
  std::size_t shortest = 100, longest = 0;  // digits of whole numbers
  bool zero_led = false;                    // 007
  bool counting = true;                     // each cell is one more than the one before
  double first = 0, last = 0;
  std::string first_text{};  // the first cell that is no number
  std::string where{};       // file:line of it, when pieces are put together
  std::int64_t text_line = 0;
  std::array<std::int64_t, separators.size()> with_separator{};

  void add(std::string_view cell, const CellForm& form, std::int64_t line);
  /// Adds what comes behind in the file; `where` is of its first text.
  void append(const ColumnTally& next);
};

/// What the column is, but for what only the number of different cells tells. Throws IoError, naming the cell, for
/// numbers that do not agree on how they are written.
ColumnFinding finding_of(const std::string& name, const ColumnTally& tally, const CellForm& form);

/// Whether a column of numbers may yet be one of categories, if they occur often enough.
bool may_be_categories(const ColumnTally& tally);

/// Says how many categories there are, and whether too many to learn from.
void count_categories(ColumnFinding& finding, const ColumnTally& tally, std::int64_t different);

/// The character that separates the values of the column's cells, if there is one.
std::string separator_of(const ColumnTally& tally);

}  // namespace gradus
