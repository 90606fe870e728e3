#include <gradus/models/data/detail/column_tally.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace gradus {

namespace {

// What tells things apart, as a word of a name, in the singular.
constexpr std::array<std::string_view, 34> things = {
    "id",     "ids",     "uid",     "iid",   "pid",  "cid",      "sid",     "gid",      "guid",
    "uuid",   "key",     "code",    "user",  "item", "movie",    "film",    "book",     "song",
    "artist", "track",   "product", "sku",   "asin", "isbn",     "article", "customer", "client",
    "member", "visitor", "shop",    "store", "zip",  "postcode", "device"};

// The words of a name in lower case: "userId2", "user_id", "USER ID" and "Zip-Code" have two or three each.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  const auto is = [&](std::size_t i, int (*of)(int)) { return of(static_cast<unsigned char>(name[i])) != 0; };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool letter = is(i, std::isalpha);
    const bool begins = letter && is(i, std::isupper) && i > 0 &&
                        (is(i - 1, std::islower) || (i + 1 < name.size() && is(i + 1, std::islower)));
    if ((begins || !letter) && !words.back().empty()) words.emplace_back();
    if (letter) words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool is_thing(std::string_view word) {
  if (std::find(things.begin(), things.end(), word) != things.end()) return true;
  if (word.ends_with('s') && word.size() > 3 && is_thing(word.substr(0, word.size() - 1))) return true;
  // Written together: userid, movieid, zipcode.
  for (const std::string_view end : {"id", "code", "key"})
    if (word.size() > end.size() && word.ends_with(end) && is_thing(word.substr(0, word.size() - end.size())))
      return true;
  constexpr std::size_t long_stem = 5;  // studentid; not humid, liquid
  return word.size() >= long_stem + 2 && word.ends_with("id") && !word.ends_with("paid") && !word.ends_with("valid");
}

bool is_nameless(std::string_view name) { return name.empty() || name.starts_with("Unnamed: "); }

// How moments are written as whole numbers; empty where the numbers are none.
std::string_view moments(const ColumnTally& t) {
  const auto within = [&](double low, double high) { return t.least >= low && t.greatest <= high; };
  constexpr double year_1990 = 631152000, year_2100 = 4102444800;
  if (within(year_1990, year_2100)) return "timestamps in seconds";
  if (within(year_1990 * 1e3, year_2100 * 1e3)) return "timestamps in milliseconds";
  if (within(year_1990 * 1e6, year_2100 * 1e6)) return "timestamps in microseconds";
  const auto is_date = [](double number) {
    const auto day = static_cast<std::int64_t>(number) % 100, month = static_cast<std::int64_t>(number) / 100 % 100;
    return day >= 1 && day <= 31 && month >= 1 && month <= 12;
  };
  if (within(19000101, 21001231) && is_date(t.least) && is_date(t.greatest)) return "dates as yyyymmdd";
  if (within(1900, 2100) && t.whole == t.numbers && t.shortest == 4) return "years";
  return {};
}

bool all_numbers(const ColumnTally& t) { return t.numbers > 0 && t.numbers + t.missing == t.cells; }
bool all_whole(const ColumnTally& t) { return all_numbers(t) && t.whole == t.numbers && t.marks == plain_mark; }

std::string missing_text(std::int64_t missing) { return missing == 0 ? "" : fmt::format(", {} missing", missing); }

[[noreturn]] void refuse(const std::string& name, const ColumnTally& t, std::string_view what) {
  fail<IoError>("{}: column {}: {} {}, or name the column in .categorical or .ignored", t.where, in_quotes(name),
                in_quotes(t.first_text), what);
}

}  // namespace

std::string to_string(const ColumnFinding& finding) {
  const std::string_view kind = finding.kind == ColumnKind::categorical ? "category"
                                : finding.kind == ColumnKind::ignored   ? "left out"
                                                                        : to_string(finding.kind);
  const std::string name = finding.name.empty() ? "\"\"" : finding.name;
  return finding.why.empty() ? fmt::format("{} ({})", name, kind) : fmt::format("{} ({}: {})", name, kind, finding.why);
}

bool names_things(std::string_view column) {
  const std::vector<std::string> words = words_of(column);
  // What is counted or measured of things is an amount: user_age, item_count, price_per_item.
  return !words.empty() && (is_thing(words.back()) || std::find(words.begin(), words.end(), "id") != words.end());
}

bool names_people(std::string_view column) {
  constexpr std::array<std::string_view, 6> people = {"user", "uid", "customer", "client", "member", "visitor"};
  const std::vector<std::string> words = words_of(column);
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
    return std::any_of(people.begin(), people.end(), [&](std::string_view each) {
      return word == each || word == fmt::format("{}s", each) || word == fmt::format("{}id", each);
    });
  });
}

bool names_time(std::string_view column) {
  constexpr std::array<std::string_view, 8> times = {"at",   "time", "timestamp", "datetime",
                                                     "date", "day",  "when",      "ts"};
  const std::vector<std::string> words = words_of(column);
  return !words.empty() && std::find(times.begin(), times.end(), words.back()) != times.end();
}

void ColumnTally::add(std::string_view cell, const CellForm& form, std::int64_t line) {
  constexpr std::int64_t enough_texts = 1000;  // to know a column of text
  ++cells;
  if (texts >= enough_texts) {
    ++texts;
    return;
  }
  double number = 0;
  if (!is_named_missing(cell, form) && cell_number(cell, form.decimal, number, marks)) {
    if (numbers == 0) first = number;
    counting = counting && (numbers == 0 || number == last + 1);
    last = number;
    ++numbers;
    least = std::min(least, number);
    greatest = std::max(greatest, number);
    if (std::all_of(cell.begin(), cell.end(), is_digit)) {
      ++whole;
      zero_led = zero_led || (cell.size() > 1 && cell[0] == '0');
      shortest = std::min(shortest, cell.size());
      longest = std::max(longest, cell.size());
    } else if (number == std::floor(number) && cell[0] == '-') {
      ++whole;
      shortest = 0;
    }
    if (marks == plain_mark) return;
  } else if (is_missing(cell, form)) {
    ++missing;
    counting = false;
    return;
  } else {
    ++texts;
    counting = false;
    Marks other = 0;
    if (marked_number(cell, form.decimal == '.' ? ',' : '.', number, other)) ++other_decimal;
  }
  if (first_text.empty()) {
    first_text = cell;
    text_line = line;
  }
  for (std::size_t i = 0; i < separators.size(); ++i)
    if (cell.find(separators[i]) != std::string_view::npos) ++with_separator[i];
}

void ColumnTally::append(const ColumnTally& next) {
  if (next.cells == 0) return;
  counting = counting && next.counting && (cells == 0 || next.first == last + 1);
  if (cells == 0) first = next.first;
  last = next.last;
  cells += next.cells;
  missing += next.missing;
  numbers += next.numbers;
  whole += next.whole;
  texts += next.texts;
  other_decimal += next.other_decimal;
  least = std::min(least, next.least);
  greatest = std::max(greatest, next.greatest);
  marks |= next.marks;
  shortest = std::min(shortest, next.shortest);
  longest = std::max(longest, next.longest);
  zero_led = zero_led || next.zero_led;
  if (where.empty() && !next.first_text.empty()) {
    first_text = next.first_text;
    where = next.where;
  }
  for (std::size_t i = 0; i < separators.size(); ++i) with_separator[i] += next.with_separator[i];
}

ColumnFinding finding_of(const std::string& name, const ColumnTally& t, const CellForm& form) {
  ColumnFinding out{name, ColumnKind::categorical, {}};
  if (is_nameless(name) && t.missing == t.cells) return {name, ColumnKind::ignored, "nameless and empty"};
  if (is_nameless(name) && all_whole(t) && t.counting) return {name, ColumnKind::ignored, "nameless, counts the rows"};
  if (all_numbers(t) && !marks_agree(t.marks))
    refuse(name, t, "has another sign than the column's other numbers; write all of them alike");
  if (all_numbers(t)) {
    if (all_whole(t) && (names_things(name) || t.zero_led)) {
      out.why = names_things(name) ? "whole numbers" : "numbers with leading zeros";
      return out;
    }
    out.kind = ColumnKind::numeric;
    out.missing = t.missing;
    out.why = fmt::format("{:.15g} to {:.15g}{}", t.least, t.greatest, missing_text(t.missing));
    if (const std::string_view kind = all_whole(t) ? moments(t) : std::string_view(); !kind.empty()) {
      out.large = true;
      out.why =
          fmt::format("{}, {}; an amount as it stands: .normalize scales it, .ignored leaves it out", kind, out.why);
    }
    return out;
  }
  if (t.numbers + t.other_decimal + t.missing == t.cells && t.other_decimal > 0)
    refuse(name, t,
           form.decimal == '.' ? "is a number if commas are decimal marks: say .decimal ','"
                               : "is a number if points are decimal marks: leave out .decimal");
  if (t.texts == 0) {
    out.why = "nothing but empty cells";
  } else {
    out.why = "text";
  }
  return out;
}

bool may_be_categories(const ColumnTally& t) {
  return all_whole(t) && t.shortest == t.longest && t.shortest >= 5 && moments(t).empty();
}

void count_categories(ColumnFinding& finding, const ColumnTally& t, std::int64_t different) {
  if (finding.kind == ColumnKind::numeric) {
    if (2 * different > t.cells) return;
    finding = {finding.name, ColumnKind::categorical, fmt::format("whole numbers of {} digits", t.longest)};
  }
  finding.different = different;
  finding.why += fmt::format("{}{} different", finding.why.empty() ? "" : ", ", different);
  if (t.texts > 0 && 10 * t.texts < t.numbers)
    finding.why += fmt::format(
        "; all but {} of {} cells are numbers, and {} at {} is none: .missing names words for empty "
        "cells",
        t.texts, t.cells, in_quotes(t.first_text), t.where);
  constexpr std::int64_t few = 20;  // cells
  if (t.cells >= few && 10 * different >= 7 * t.cells)
    finding.why += "; nearly each row has a category of its own, of which nothing is learnt: .ignored leaves it out";
}

std::string separator_of(const ColumnTally& t) {
  const auto most = std::max_element(t.with_separator.begin(), t.with_separator.end());
  if (*most == 0) return {};
  return {ColumnTally::separators[static_cast<std::size_t>(most - t.with_separator.begin())]};
}

}  // namespace gradus
