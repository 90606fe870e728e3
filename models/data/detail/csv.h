// Records of cells, as RFC 4180 has them: cells between delimiters, records between newlines (\n or \r\n). A cell in
// quotes may hold delimiters and newlines, and quotes that are doubled. Blanks around a cell are no part of it. Empty
// lines are no records.
// Malformed text throws Mistake (row_pieces.h): a quote that is not closed, something between a closing quote and the
// delimiter, a quote in a cell that is not quoted, a NUL byte.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// How cells are told from one another.
struct Dialect {
  std::string delimiter = ",";
  bool quotes = true;  // false: a quote is a character like others
};

/// Walks over the records of a text that begins with one.
class CsvRecords {
 public:
  CsvRecords(std::string_view text, const Dialect& dialect);

  /// Goes to the next record; false at the end.
  bool next();
  /// Its cells, without their quotes. Valid until next() is called again.
  const std::vector<std::string_view>& cells() const { return cells_; }
  /// The line that the record begins on, counted from 0.
  std::int64_t line() const { return line_; }
  /// Lines passed so far; at the end, all of the text.
  std::int64_t lines_passed() const { return next_line_; }
  /// Bytes passed so far.
  std::size_t bytes_passed() const { return static_cast<std::size_t>(p_ - begin_); }

 private:
  bool pass_blanks_to_quote();
  void quoted_cell();
  void plain_cell();
  bool at_delimiter() const;
  bool at_newline() const;

  const char* const begin_;
  const char* p_;
  const char* const end_;
  const Dialect& dialect_;
  std::array<bool, 256> ends_run_{};  // characters that are not simply part of a plain cell
  std::vector<std::string_view> cells_;
  std::deque<std::string> unquoted_;  // cells whose quotes were doubled
  std::int64_t line_ = 0;
  std::int64_t next_line_ = 0;
};

}  // namespace gradus
