// Ratings: what the reader takes and refuses, the design matrix, the synthetic stand-in; and the article's second
// experiment on MovieLens-100k itself, where it is found: in $GRADUS_DATA/ml-100k or ../shared/data/ml-100k.
#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/models/data/movielens.h>
#include <gradus/models/data/synthetic.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/metrics.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>

#include "data_folder.h"
#include "scratch_file.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

std::string refused_path(const std::string& path) {
  try {
    read_ratings(path);
  } catch (const IoError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

// The refusal of a text, without the path it begins with.
std::string refused(const std::string& text) {
  const ScratchFile file(text);
  const std::string message = refused_path(file.path());
  CHECK(message.starts_with(file.path()));
  return message.substr(file.path().size());
}

struct Errors {
  double train = 0;
  double test = 0;
  bool operator==(const Errors&) const = default;
};

// Mean squared errors after the article's training: 20 factors, Adam 0.01, 100 iterations over everything, no L2.
Errors learn(const UserItemDesign& data, std::uint64_t seed, int iterations = 100) {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, data.x_train.dim(1)});
  const Expr y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 20, .seed = seed});
  const Expr train = Adam(0.01).minimize(fm.loss);
  Session session(g);
  for (int i = 0; i < iterations; ++i) session.run(train, {{X, data.x_train}, {y, data.y_train}});
  return {mse(data.y_train, session.run(fm.y_hat, {{X, data.x_train}})),
          mse(data.y_test, session.run(fm.y_hat, {{X, data.x_test}}))};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

TEST_CASE("read_ratings reads lines of four numbers") {
  const ScratchFile file(
      "1\t10\t5\t874965758\n2147483647\t7\t1\t0\r\n3\t8\t2\t1");  // with and without what ends a line
  const std::vector<Rating> ratings = read_ratings(file.path());
  REQUIRE(ratings.size() == 3);
  CHECK(ratings[0].user == 1);
  CHECK(ratings[0].item == 10);
  CHECK(ratings[0].rating == 5);
  CHECK(ratings[0].timestamp == 874965758);
  CHECK(ratings[1].user == 2147483647);
  CHECK(ratings[2].timestamp == 1);
}

TEST_CASE("read_ratings names the file and the line of what it refuses") {
  const std::string first = "1\t1\t5\t874965758\n";
  CHECK(refused("") == ": is empty; lines of user, item, rating and timestamp are expected");
  CHECK(refused(first + "1\t2\t3\n") ==
        ":2: \"1\\x092\\x093\" has 3 fields; user, item, rating and timestamp, separated by tabs, are expected");
  CHECK(refused(first + "\n") ==
        ":2: \"\" has 1 field; user, item, rating and timestamp, separated by tabs, are expected");
  CHECK(refused(first + "1\t2\t3\t4\t5\n") ==
        ":2: \"1\\x092\\x093\\x094\\x095\" has 5 fields; user, item, rating and timestamp, separated by tabs, are "
        "expected");
  CHECK(refused(first + "1 2 3 4\n") ==
        ":2: \"1 2 3 4\" has 1 field; user, item, rating and timestamp, separated by tabs, are expected");
  CHECK(refused("x\t2\t3\t4\n") == ":1: the user is \"x\", which is not a whole number");
  CHECK(refused("1\t\t3\t4\n") == ":1: the item is \"\", which is not a whole number");
  CHECK(refused("1\t2\t3.5\t4\n") == ":1: the rating is \"3.5\", which is not a whole number");
  CHECK(refused("1\t2\t3\t 4\n") == ":1: the timestamp is \" 4\", which is not a whole number");
  CHECK(refused("0\t2\t3\t4\n") == ":1: the user is \"0\"; 1 to 2147483647 is expected");
  CHECK(refused("1\t2147483648\t3\t4\n") == ":1: the item is \"2147483648\"; 1 to 2147483647 is expected");
  CHECK(refused(first + first + "1\t2\t6\t4\n") == ":3: the rating is \"6\"; 1 to 5 is expected");
  CHECK(refused("1\t2\t3\t99999999999999999999\n") ==
        ":1: the timestamp is \"99999999999999999999\"; 0 to 9223372036854775807 is expected");
  CHECK(refused(std::string(50, 'a') + "\t2\t3\t4\n") ==
        ":1: the user is \"" + std::string(40, 'a') + "...\", which is not a whole number");
  CHECK(refused(std::string("\xff\0", 2) + "\t2\t3\t4\n") ==
        ":1: the user is \"\\xff\\x00\", which is not a whole number");
  CHECK(refused_path("/nowhere/ua.base") == "/nowhere/ua.base: cannot be read: No such file or directory");
  const std::string folder = std::filesystem::temp_directory_path().string();
  CHECK(refused_path(folder) == folder + ": cannot be read: Is a directory");
}

TEST_CASE("the design matrix: users, then items, of the training set") {
  const std::vector<Rating> train{{7, 30, 5, 0}, {2, 10, 3, 0}, {7, 10, 1, 0}};
  const std::vector<Rating> test{{2, 30, 4, 0}, {2, 20, 2, 0}, {9, 20, 2, 0}, {9, 10, 5, 0}};
  const UserItemDesign d = one_hot_user_item(train, test);
  CHECK(d.x_train.layout() == Layout::csr);
  CHECK(d.x_train.to_dense() == Tensor({{0, 1, 0, 1}, {1, 0, 1, 0}, {0, 1, 1, 0}}));
  CHECK(d.y_train == Tensor({{5}, {3}, {1}}));
  CHECK(d.x_test.to_dense() == Tensor({{1, 0, 0, 1}, {1, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 1, 0}}));
  CHECK(d.y_test == Tensor({{4}, {2}, {2}, {5}}));
  CHECK(d.users == 2);
  CHECK(d.items == 2);
  CHECK(d.unseen_users == 1);
  CHECK(d.unseen_items == 1);
  CHECK(d.unseen_ratings == 3);
  CHECK(one_hot_user_item(train, {}, float64).x_test.type() == Type{float64, {0, 4}, Layout::csr});
  CHECK_THROWS_WITH_AS(one_hot_user_item({}, test), "one_hot_user_item: the training set is empty", ValueError);
}

TEST_CASE("synthetic ratings have the shape of MovieLens-100k") {
  const SyntheticRatings s = synthetic_ratings(5);
  const UserItemDesign d = one_hot_user_item(s.train, s.test);
  CHECK(d.x_train.shape() == Shape{90570, 943 + 1680});
  CHECK(d.x_test.shape() == Shape{9430, 943 + 1680});
  CHECK(d.users == 943);
  CHECK(d.items == 1680);
  CHECK(d.unseen_ratings == 0);
  std::set<std::pair<int, int>> pairs;
  std::vector<int> count(6);
  for (const auto* set : {&s.train, &s.test}) {
    for (const Rating& r : *set) {
      pairs.emplace(r.user, r.item);
      ++count.at(static_cast<std::size_t>(r.rating));
    }
  }
  CHECK(pairs.size() == 100000);
  CHECK(*std::min_element(count.begin() + 1, count.end()) > 2000);  // all five ratings are given
  CHECK(d.y_train == one_hot_user_item(synthetic_ratings(5).train, {}).y_train);
  CHECK(d.y_train != one_hot_user_item(synthetic_ratings(6).train, {}).y_train);
}

TEST_CASE("a factorization machine finds what is planted in synthetic ratings") {
  const SyntheticRatings s = synthetic_ratings();
  const Errors errors = learn(one_hot_user_item(s.train, s.test), 1);
  MESSAGE("synthetic: train MSE " << errors.train << ", test MSE " << errors.test);
  CHECK(errors.train < 1.0);
  CHECK(errors.test < 1.1);
}

TEST_CASE("MovieLens-100k: the article's numbers") {
  const std::filesystem::path folder = data_folder("ml-100k");
  if (!std::filesystem::exists(folder / "ua.base")) {
    MESSAGE("skipped: there is no ", (folder / "ua.base").string(),
            "; set GRADUS_DATA to the folder that holds ml-100k (https://grouplens.org/datasets/movielens/100k/)");
    return;
  }
  const UserItemDesign d =
      one_hot_user_item(read_ratings((folder / "ua.base").string()), read_ratings((folder / "ua.test").string()));
  CHECK(d.x_train.shape() == Shape{90570, 2623});
  CHECK(d.x_test.shape() == Shape{9430, 2623});
  CHECK(d.users == 943);
  CHECK(d.items == 1680);
  CHECK(d.unseen_users == 0);
  CHECK(d.unseen_items == 2);
  CHECK(d.unseen_ratings == 2);

  CHECK(learn(d, 1, 20) == learn(d, 1, 20));  // the same bits

  std::vector<double> train, test;
  const char* const asked = std::getenv("GRADUS_SEEDS");  // 20 of them reproduce the numbers of README.md
  const std::uint64_t seeds = asked == nullptr ? 5 : std::strtoull(asked, nullptr, 10);
  for (std::uint64_t seed = 1; seed <= std::max<std::uint64_t>(seeds, 1); ++seed) {
    const Errors errors = learn(d, seed);
    train.push_back(errors.train);
    test.push_back(errors.test);
  }
  MESSAGE("medians of ", train.size(), " seeds: train MSE ", median(train), ", test MSE ", median(test), "; train ",
          *std::min_element(train.begin(), train.end()), " to ", *std::max_element(train.begin(), train.end()),
          ", test ", *std::min_element(test.begin(), test.end()), " to ", *std::max_element(test.begin(), test.end()));
  CHECK(std::abs(median(train) - 0.79) <= 0.03);
  CHECK(std::abs(median(test) - 0.93) <= 0.02);
}

}  // namespace gradus
