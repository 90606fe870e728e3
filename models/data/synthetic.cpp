#include <gradus/models/data/synthetic.h>

#include <gradus/core/tensor/random.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace gradus {

namespace {

constexpr std::int64_t users = SyntheticRatings::users;
constexpr std::int64_t items = SyntheticRatings::items;
constexpr std::int64_t factors = 4;
constexpr std::int64_t train_count = 90570;
constexpr std::int64_t test_count = 10 * users;

class Planted {
 public:
  explicit Planted(std::uint64_t seed)
      : seed_(seed),
        user_bias_(normal("user bias", users, 0.45)),
        item_bias_(normal("item bias", items, 0.5)),
        user_factors_(normal("user factors", users * factors, 0.55)),
        item_factors_(normal("item factors", items * factors, 0.55)) {}

  std::vector<double> normal(std::string_view name, std::int64_t count, double stddev) const {
    std::vector<double> out(static_cast<std::size_t>(count));
    random_normal({count}, {.stddev = stddev, .seed = seed_, .dtype = float64})
        .draw(stream_of(name), 0, std::span(out));
    return out;
  }
  std::vector<double> uniform(std::string_view name, std::int64_t count) const {
    std::vector<double> out(static_cast<std::size_t>(count));
    random_uniform({count}, {.seed = seed_, .dtype = float64}).draw(stream_of(name), 0, std::span(out));
    return out;
  }

  float rating(std::int64_t user, std::int64_t item, double noise) const {
    const auto u = static_cast<std::size_t>(user), i = static_cast<std::size_t>(item);
    double score = 3.53 + user_bias_[u] + item_bias_[i] + noise;
    for (std::size_t f = 0; f < factors; ++f) score += user_factors_[u * factors + f] * item_factors_[i * factors + f];
    return static_cast<float>(std::clamp(std::round(score), 1.0, 5.0));
  }

 private:
  std::uint64_t seed_;
  std::vector<double> user_bias_;     // [users]
  std::vector<double> item_bias_;     // [items]
  std::vector<double> user_factors_;  // [users, factors]
  std::vector<double> item_factors_;  // [items, factors]
};

// Ratings as they are drawn, and then as rows.
struct Drawn {
  std::vector<std::int64_t> row_start{0}, column{};
  std::vector<float> rating{};

  Rows rows() const {
    const std::int64_t n = std::ssize(rating);
    return {Tensor::csr(n, users + items, row_start, column, std::vector<float>(column.size(), 1)),
            Tensor::from(rating, {n, 1})};
  }
};

}  // namespace

SyntheticRatings synthetic_ratings(std::uint64_t seed) {
  const Planted planted(seed);
  constexpr std::int64_t count = train_count + test_count;
  const std::vector<double> which_user = planted.uniform("user", count);
  const std::vector<double> which_item = planted.uniform("item", count);
  const std::vector<double> noise = planted.normal("noise", count, 0.85);

  std::vector<bool> rated(static_cast<std::size_t>(users * items));
  Drawn train, test;
  for (std::int64_t row = 0; row < count; ++row) {
    const auto r = static_cast<std::size_t>(row);
    std::int64_t user = row % users;  // so that every one occurs, and each has ten ratings in the test set
    std::int64_t item = row;
    if (row >= items) {
      // A few items are rated by most, most by few.
      item = static_cast<std::int64_t>(static_cast<double>(items) * which_item[r] * which_item[r]);
      if (row < train_count) user = static_cast<std::int64_t>(static_cast<double>(users) * which_user[r]);
    }
    while (rated[static_cast<std::size_t>(user * items + item)]) item = (item + 1) % items;
    rated[static_cast<std::size_t>(user * items + item)] = true;
    Drawn& set = row < train_count ? train : test;
    set.column.insert(set.column.end(), {user, users + item});
    set.row_start.push_back(std::ssize(set.column));
    set.rating.push_back(planted.rating(user, item, noise[r]));
  }
  return {train.rows(), test.rows()};
}

}  // namespace gradus
