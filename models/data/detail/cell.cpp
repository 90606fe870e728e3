#include <gradus/models/data/detail/cell.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>

namespace gradus {

namespace {

constexpr std::array<std::string_view, 10> usual_missing = {"na",   "n/a",  "<na>", "#n/a", "nan",
                                                            "null", "none", "\\n",  "?",    "-"};
constexpr std::array<std::string_view, 6> currencies = {"$", "\u20ac", "\u00a3", "\u00a5", "\u20b9", "CHF"};

// Whether a cell is the word, which is in lower case, in any case.
bool same(std::string_view word, std::string_view cell) {
  return std::equal(word.begin(), word.end(), cell.begin(), cell.end(),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

void strip(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
}

// Takes a sign of currency or % from one end; at most one a cell.
void take_mark(std::string_view& text, Marks& mark) {
  if (mark != 0) return;
  if (text.ends_with('%')) {
    text.remove_suffix(1);
    mark = percent_mark;
    return;
  }
  for (std::size_t i = 0; i < currencies.size(); ++i) {
    const bool before = text.starts_with(currencies[i]);
    if (!before && !text.ends_with(currencies[i])) continue;
    if (before) text.remove_prefix(currencies[i].size());
    if (!before) text.remove_suffix(currencies[i].size());
    mark = first_currency_mark << i;
    return;
  }
}

}  // namespace

bool is_missing(std::string_view cell, const CellForm& form) {
  strip(cell);
  if (cell.empty()) return true;
  if (cell.size() <= 4 && std::any_of(usual_missing.begin(), usual_missing.end(),
                                      [cell](std::string_view word) { return same(word, cell); }))
    return true;
  return is_named_missing(cell, form);
}

bool marks_agree(Marks marks) {
  return std::popcount(marks / first_currency_mark) <= 1 && ((marks & percent_mark) == 0 || marks == percent_mark);
}

bool truth_of(std::string_view cell, bool& value) {
  constexpr std::array<std::string_view, 8> words = {"true", "t", "yes", "y", "false", "f", "no", "n"};
  const auto found =
      std::find_if(words.begin(), words.end(), [cell](std::string_view word) { return same(word, cell); });
  value = found < words.begin() + words.size() / 2;
  return found != words.end();
}

template <std::floating_point T>
bool marked_number(std::string_view cell, char decimal, T& value, Marks& marks) {
  constexpr std::size_t longest = 64;
  strip(cell);
  if (cell.empty() || cell.size() > longest) return false;
  std::string plain;
  const auto take_sign = [&] {
    if (!plain.empty() || cell.empty() || (cell.front() != '-' && cell.front() != '+')) return;
    plain += cell.front();
    cell.remove_prefix(1);
  };
  Marks mark = 0;
  take_sign();
  take_mark(cell, mark);
  strip(cell);
  take_sign();
  // Thousands are marked by the one of , and . that is not the decimal mark; groups have three digits each.
  const char between = decimal == '.' ? ',' : '.';
  bool grouped = false, decimals = false;
  std::size_t digits = 0;  // of the group so far
  for (std::size_t i = 0; i < cell.size(); ++i) {
    const char c = cell[i];
    if (is_digit(c)) {
      ++digits;
      plain += c;
    } else if (c == between && !decimals && (grouped ? digits == 3 : digits >= 1 && digits <= 3 && cell[0] != '0')) {
      grouped = true;
      digits = 0;
    } else if (c == decimal && !decimals && (!grouped || digits == 3)) {
      decimals = true;
      plain += '.';
    } else if ((c == 'e' || c == 'E') && !grouped) {
      plain += cell.substr(i);
      break;
    } else {
      return false;
    }
  }
  if ((grouped && !decimals && digits != 3) || !number_of(plain, value)) return false;
  marks |= mark != 0 ? mark : grouped ? grouped_mark : plain_mark;
  return true;
}

template bool marked_number(std::string_view, char, float&, Marks&);
template bool marked_number(std::string_view, char, double&, Marks&);

}  // namespace gradus
