#include <gradus/models/training/row_split.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/random.h>
#include <gradus/core/tensor/random_order.h>
#include <gradus/models/data/detail/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

namespace gradus {

namespace {

constexpr std::array all_splits = {SplitBy::random, SplitBy::time, SplitBy::user, SplitBy::leave_last_out};

// Digits from the front of the text, as many as are asked for.
bool take_digits(std::string_view& text, std::size_t count, int& value) {
  if (text.size() < count || !std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(count), is_digit))
    return false;
  value = 0;
  for (const char c : text.substr(0, count)) value = 10 * value + (c - '0');
  text.remove_prefix(count);
  return true;
}

bool take(std::string_view& text, std::string_view characters) {
  if (text.empty() || characters.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// "2024-01-31", "2024-01-31 12:30", "2024-01-31T12:30:59.5Z" as seconds since 1970 (ISO 8601).
std::optional<double> seconds_of_date(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(text, 4, year) || !take(text, "-") || !take_digits(text, 2, month) || !take(text, "-") ||
      !take_digits(text, 2, day))
    return {};
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return {};
  double part = 0;
  if (!text.empty()) {
    if (!take(text, "T ") || !take_digits(text, 2, hour) || !take(text, ":") || !take_digits(text, 2, minute))
      return {};
    if (take(text, ":") && !take_digits(text, 2, second)) return {};
    double scale = 0.1;
    if (take(text, "."))
      for (int digit = 0; take_digits(text, 1, digit); scale /= 10) part += scale * digit;
    take(text, "Z");
    if (!text.empty() || hour > 23 || minute > 59 || second > 60) return {};
  }
  const std::chrono::seconds days = std::chrono::sys_days(date).time_since_epoch();
  return static_cast<double>(days.count()) + 3600.0 * hour + 60.0 * minute + second + part;
}

std::vector<Index> in_order(std::vector<Index> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Rows from the earliest to the latest; of one time, or without times, as they stand.
std::vector<Index> by_time(const SplitKeys& keys, std::int64_t rows) {
  std::vector<Index> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), Index{0});
  if (!keys.time.empty())
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return keys.time[static_cast<std::size_t>(a)] < keys.time[static_cast<std::size_t>(b)];
    });
  return order;
}

// The first place from `at` on that begins another time than the one before it.
std::size_t border(const SplitKeys& keys, const std::vector<Index>& order, std::int64_t at) {
  if (keys.time.empty()) return static_cast<std::size_t>(at);
  const auto time = [&](std::size_t i) { return keys.time[static_cast<std::size_t>(order[i])]; };
  auto i = static_cast<std::size_t>(at);
  while (i > 0 && i < order.size() && time(i) == time(i - 1)) ++i;
  return i;
}

// The rows of each user, from the earliest to the latest.
std::vector<std::vector<Index>> rows_of_users(const SplitKeys& keys, std::int64_t rows) {
  std::vector<std::vector<Index>> out;
  for (const Index row : by_time(keys, rows)) {
    const auto user = static_cast<std::size_t>(keys.user[static_cast<std::size_t>(row)]);
    if (user >= out.size()) out.resize(user + 1);
    out[user].push_back(row);
  }
  return out;
}

// Users who have rows, in an order drawn by lot.
std::vector<std::vector<Index>> drawn_users(const SplitKeys& keys, std::int64_t rows, std::uint64_t seed) {
  std::vector<std::vector<Index>> users = rows_of_users(keys, rows);
  std::erase_if(users, [](const auto& of_user) { return of_user.empty(); });
  RandomOrder order(std::ssize(users), seed, stream_of("split by user"));
  std::vector<std::vector<Index>> out;
  for (const Index user : order.at(0, std::ssize(users)))
    out.push_back(std::move(users[static_cast<std::size_t>(user)]));
  return out;
}

DrawnRows checked(SplitBy by, DrawnRows rows) {
  if (rows.drawn.empty() || rows.others.empty())
    fail<ValueError>("a split by {} leaves {} rows to learn from and {} to test on", to_string(by), rows.others.size(),
                     rows.drawn.size());
  return {in_order(std::move(rows.drawn)), in_order(std::move(rows.others))};
}

void add(std::vector<Index>& to, std::span<const Index> rows) { to.insert(to.end(), rows.begin(), rows.end()); }

}  // namespace

std::string_view to_string(SplitBy by) {
  switch (by) {
    case SplitBy::random: return "random";
    case SplitBy::time: return "time";
    case SplitBy::user: return "user";
    case SplitBy::leave_last_out: return "leave-last-out";
  }
  return "";
}

std::string to_string(const RowSplit& split) {
  return split.column.empty() ? std::string(to_string(split.by))
                              : fmt::format("{}:{}", to_string(split.by), split.column);
}

RowSplit row_split_named(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(':'));
  for (const SplitBy by : all_splits) {
    if (to_string(by) != name) continue;
    RowSplit out{by, std::string(name.size() == text.size() ? "" : text.substr(name.size() + 1))};
    if (by == SplitBy::random ? name.size() < text.size()
                              : out.column.empty() && (by == SplitBy::time || name.size() < text.size()))
      break;
    return out;
  }
  fail<ValueError>(
      "the split {} is none of random, time:COLUMN, user, user:COLUMN, leave-last-out and "
      "leave-last-out:COLUMN",
      in_quotes(text));
}

SplitKeys SplitKeys::take(std::span<const Index> rows) const {
  SplitKeys out;
  for (const Index row : rows) {
    if (!user.empty()) out.user.push_back(user[static_cast<std::size_t>(row)]);
    if (!time.empty()) out.time.push_back(time[static_cast<std::size_t>(row)]);
  }
  return out;
}

std::vector<double> times_of(const KeptColumn& column, const std::string& name) {
  std::vector<double> of_value;
  for (const std::string& cell : column.values()) {
    double number = 0;
    if (!number_of(cell, number)) {
      const std::optional<double> date = seconds_of_date(cell);
      if (!date)
        fail<ValueError>("{}: {} is no time; a number or a date as 2024-01-31 or 2024-01-31 12:30:00 is expected", name,
                         in_quotes(cell));
      number = *date;
    }
    of_value.push_back(number);
  }
  std::vector<double> out;
  for (const Index value : column.of_row()) out.push_back(of_value[static_cast<std::size_t>(value)]);
  return out;
}

DrawnRows hold_out(SplitBy by, const SplitKeys& keys, std::int64_t rows, double fraction, std::uint64_t seed) {
  DrawnRows out;
  switch (by) {
    case SplitBy::random: return draw_rows(rows, check_split(rows, fraction), seed, stream_of("split"));
    case SplitBy::time: {
      const std::vector<Index> order = by_time(keys, rows);
      const std::size_t at = border(keys, order, rows - check_split(rows, fraction));
      add(out.others, std::span(order).first(at));
      add(out.drawn, std::span(order).subspan(at));
      break;
    }
    case SplitBy::user: {
      const auto wanted = static_cast<std::size_t>(check_split(rows, fraction));
      const std::vector<std::vector<Index>> users = drawn_users(keys, rows, seed);
      for (const std::vector<Index>& of_user : users)
        add(out.drawn.size() < wanted && &of_user != &users.back() ? out.drawn : out.others, of_user);
      break;
    }
    case SplitBy::leave_last_out:
      for (const std::vector<Index>& of_user : rows_of_users(keys, rows)) {
        const std::size_t left = of_user.size() < 2 ? of_user.size() : of_user.size() - 1;
        add(out.others, std::span(of_user).first(left));
        add(out.drawn, std::span(of_user).subspan(left));
      }
  }
  return checked(by, std::move(out));
}

DrawnRows fold_of(SplitBy by, const SplitKeys& keys, std::int64_t rows, std::int64_t folds, std::int64_t fold,
                  std::uint64_t seed) {
  DrawnRows out;
  switch (by) {
    case SplitBy::random: {
      RandomOrder order(rows, seed, stream_of("cross-validation"));
      const std::span<const Index> all = order.at(0, rows);
      const auto first = static_cast<std::size_t>(rows * fold / folds);
      const auto last = static_cast<std::size_t>(rows * (fold + 1) / folds);
      add(out.drawn, all.subspan(first, last - first));
      add(out.others, all.first(first));
      add(out.others, all.subspan(last));
      break;
    }
    case SplitBy::time: {
      const std::vector<Index> order = by_time(keys, rows);
      const std::size_t first = border(keys, order, rows * (fold + 1) / (folds + 1));
      const std::size_t last = border(keys, order, rows * (fold + 2) / (folds + 1));
      add(out.others, std::span(order).first(first));
      add(out.drawn, std::span(order).subspan(first, last - first));
      break;
    }
    case SplitBy::user: {
      const std::vector<std::vector<Index>> users = drawn_users(keys, rows, seed);
      for (std::size_t u = 0; u < users.size(); ++u)
        add(static_cast<std::int64_t>(u) * folds / std::ssize(users) == fold ? out.drawn : out.others, users[u]);
      break;
    }
    case SplitBy::leave_last_out: {
      const auto back = static_cast<std::size_t>(folds - fold);
      for (const std::vector<Index>& of_user : rows_of_users(keys, rows)) {
        if (of_user.size() <= back) {
          add(out.others, of_user);
          continue;
        }
        add(out.others, std::span(of_user).first(of_user.size() - back));
        out.drawn.push_back(of_user[of_user.size() - back]);
      }
    }
  }
  return checked(by, std::move(out));
}

}  // namespace gradus
