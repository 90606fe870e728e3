// The cells of tables as numbers: what is written for "unknown", with which decimal mark, and what people write beside
// the digits of an amount: a currency's sign, %, marks between thousands. "$1,200.50" is 1200.5; "1.200,50 €" is too
// where the decimal mark is a comma. What is ambiguous ("1,5" where it is a point) is no number.
#pragma once

#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/table.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Whether a cell says that its value is unknown: it is empty, a word of the form, or in any case one of NA, N/A, <NA>,
/// #N/A, NaN, NULL, None, \N, ?, -.
bool is_missing(std::string_view cell, const CellForm& form);

/// Whether the form's own words say so, which may be numbers, such as -999.
inline bool is_named_missing(std::string_view cell, const CellForm& form) {
  return !form.missing.empty() && std::find(form.missing.begin(), form.missing.end(), cell) != form.missing.end();
}

/// What stands beside the digits of an amount, as bits: cells of one column are to agree on it.
using Marks = std::uint32_t;
inline constexpr Marks plain_mark = 1, grouped_mark = 2, percent_mark = 4, first_currency_mark = 8;
/// Whether the cells of one column may have these: one currency at most, and % everywhere or nowhere.
bool marks_agree(Marks marks);

/// An amount that is more than a plain number; adds what stands beside its digits to `marks`. False where it is none.
template <std::floating_point T>
bool marked_number(std::string_view cell, char decimal, T& value, Marks& marks);
extern template bool marked_number(std::string_view, char, float&, Marks&);
extern template bool marked_number(std::string_view, char, double&, Marks&);

/// Whether the cell is a finite number, blanks around it aside.
template <std::floating_point T>
bool cell_number(std::string_view cell, char decimal, T& value, Marks& marks) {
  if (decimal == '.' && number_of(cell, value)) {
    marks |= plain_mark;
    return true;
  }
  return marked_number(cell, decimal, value, marks);
}

/// Whether the cell is one of true, t, yes, y, which are 1, or false, f, no, n, which are 0, in any case.
bool truth_of(std::string_view cell, bool& value);

/// Calls take(part) for each part of a cell between separators, without blanks, that is not empty.
template <class Take>
void for_each_part(std::string_view cell, char separator, const Take& take) {
  while (!cell.empty()) {
    std::string_view part = cell.substr(0, cell.find(separator));
    cell.remove_prefix(part.size() == cell.size() ? cell.size() : part.size() + 1);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) take(part);
  }
}

}  // namespace gradus
