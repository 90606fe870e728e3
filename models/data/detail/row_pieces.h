// What threads make of the pieces of a text, and how it is put together. A piece is read without knowing those before
// it; so results, and the mistake that is reported where there are several, do not depend on the number of threads.
#pragma once

#include <gradus/core/error.h>
#include <gradus/core/workers.h>
#include <gradus/models/data/read.h>

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

/// What is wrong in a piece, and in which of its lines, counted from 0. It never leaves the readers.
struct Mistake {
  std::int64_t line;
  std::string what;
};

template <class T>
struct RowPiece {
  std::vector<std::int64_t> row_end;   // [rows], into column
  std::vector<Index> column;           // [non-zeros], ascending within a row
  std::vector<T> value;                // [non-zeros]
  std::vector<std::uint64_t> index;    // [non-zeros], where columns are yet to be given to them; else empty
  std::vector<T> y;                    // [rows], or empty
  std::vector<T> weight;               // [rows], or empty
  std::vector<Index> field;            // [non-zeros], libffm only
  std::vector<std::int64_t> row_line;  // [rows], counted from 0 in the piece; libffm and where there is `index` only
  std::vector<std::int64_t> unseen;    // as in ReadRows
  std::vector<std::int64_t> missing;
  std::vector<KeptColumn> kept;   // as in ReadRows
  std::int64_t other_fields = 0;  // added up with an entry of another field; libffm only
  Index largest = -1;             // column
  std::int64_t lines = 0;         // newlines
};

/// Calls read(text, piece) for each of the texts, several at once, and adds what they made to `pieces`. `line` counts
/// the lines of the file before the texts and is moved on. The first mistake becomes an IoError: "name:line: what".
template <class Piece, class Read>
void read_pieces(Workers& workers, const std::string& name, const std::vector<std::string_view>& texts,
                 std::int64_t& line, std::vector<Piece>& pieces, Read&& read) {
  const auto too_long =
      std::find_if(texts.begin(), texts.end(), [](std::string_view text) { return text.size() > longest_record; });
  if (too_long != texts.end()) {
    for (auto text = texts.begin(); text != too_long; ++text) line += std::count(text->begin(), text->end(), '\n');
    fail<IoError>("{}:{}: a record here or below is longer than {} MiB", name, line + 1, longest_record >> 20);
  }
  const std::size_t first = pieces.size();
  pieces.resize(first + texts.size());
  std::vector<std::exception_ptr> errors(texts.size());
  workers.for_each(static_cast<std::int64_t>(texts.size()), 1, [&](std::int64_t i, std::int64_t) {
    const auto k = static_cast<std::size_t>(i);
    try {
      read(texts[k], pieces[first + k]);
    } catch (...) {
      errors[k] = std::current_exception();
    }
  });
  for (std::size_t k = 0; k < texts.size(); ++k) {
    try {
      if (errors[k]) std::rethrow_exception(errors[k]);
    } catch (const Mistake& mistake) {
      fail<IoError>("{}:{}: {}", name, line + mistake.line + 1, mistake.what);
    }
    line += pieces[first + k].lines;
  }
}

/// The pieces one after another, which are emptied: x [n, columns], y and weight.
template <class T>
ReadRows joined(std::vector<RowPiece<T>>& pieces, std::int64_t columns, Workers& workers);
extern template ReadRows joined(std::vector<RowPiece<float>>&, std::int64_t, Workers&);
extern template ReadRows joined(std::vector<RowPiece<double>>&, std::int64_t, Workers&);

/// What becomes of the entries of a row that have one column: of one field, or of none, and of several fields.
struct SeveralEntries {
  Duplicates of_field = Duplicates::refuse;
  OtherField of_fields = OtherField::refuse;
};

/// What sort_row refuses.
struct RowFault {
  Index column = -1;             // that several entries have; -1: nothing is wrong
  bool twice = false;            // two of them are of one field
  Index field = -1, other = -1;  // or of these two
  bool too_much = false;         // their sum is not finite

  /// What messages say of it behind the name of the file and the line.
  std::string text(std::uint64_t index, DType of_values) const;
};

/// Puts the entries from `first` on, which are a row, in the order of their columns, and adds up those of one column,
/// in the field of the first.
template <class T>
RowFault sort_row(RowPiece<T>& piece, std::size_t first, const SeveralEntries& allowed);
extern template RowFault sort_row(RowPiece<float>&, std::size_t, const SeveralEntries&);
extern template RowFault sort_row(RowPiece<double>&, std::size_t, const SeveralEntries&);

}  // namespace gradus
