// Ratings that nobody gave, as text, in the shape of a MovieLens set: users and items of very different popularity, a
// bias of each and a common taste or two, so that there is something to learn. The same numbers on every machine.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>

namespace gradus {

enum class RatingsForm { tabs, csv, libfm };

struct RatingsShape {
  std::int64_t count = 20000, users = 900, items = 1600;
  RatingsForm form = RatingsForm::tabs;
  std::uint64_t seed = 1;
};

/// MovieLens-1M's shape: 6040 users, 3706 items, 900,000 ratings of the million to train on.
inline RatingsShape movielens_1m(RatingsForm form) { return {900000, 6040, 3706, form, 1}; }

inline std::string ratings_text(const RatingsShape& shape) {
  std::uint64_t state = shape.seed;
  const auto random = [&state] {  // splitmix64, as a number in [0, 1)
    std::uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  };
  const auto taste = [](std::int64_t id, int which) { return std::sin(static_cast<double>(id * (which + 3))); };
  std::string text;
  if (shape.form == RatingsForm::csv) text += "user,item,rating\n";
  for (std::int64_t i = 0; i < shape.count; ++i) {
    const auto user = static_cast<std::int64_t>(std::pow(random(), 1.5) * static_cast<double>(shape.users));
    const auto item = static_cast<std::int64_t>(std::pow(random(), 2.5) * static_cast<double>(shape.items));
    const double mean = 3.5 + 0.5 * taste(user, 0) + 0.5 * taste(item, 1) + 0.8 * taste(user, 2) * taste(item, 3);
    const auto rating = std::clamp(static_cast<int>(std::lround(mean + 1.6 * (random() - 0.5))), 1, 5);
    switch (shape.form) {
      case RatingsForm::tabs: text += fmt::format("{}\t{}\t{}\t881250949\n", user + 1, item + 1, rating); break;
      case RatingsForm::csv: text += fmt::format("u{},i{},{}\n", user + 1, item + 1, rating); break;
      case RatingsForm::libfm: text += fmt::format("{} {}:1 {}:1\n", rating, user, shape.users + item); break;
    }
  }
  return text;
}

/// As u.user and u.item of MovieLens, of users and items that nobody is, titles in Latin-1.
inline std::string users_text(std::int64_t users) {
  std::string text;
  for (std::int64_t user = 1; user <= users; ++user)
    text += fmt::format("{}|{}|{}|writer|85711\n", user, 20 + user % 7, user % 2 == 0 ? "M" : "F");
  return text;
}
inline std::string items_text(std::int64_t items) {
  constexpr std::int64_t genres = 19;
  std::string text;
  for (std::int64_t item = 1; item <= items; ++item) {
    text += fmt::format("{}|\xc9t\xe9, l' (1995)|01-Jan-1995||http://there", item);
    for (std::int64_t g = 0; g < genres; ++g)
      text += fmt::format("|{}", g == item % (genres - 1) || g == item % 5 ? 1 : 0);
    text += '\n';
  }
  return text;
}

}  // namespace gradus
