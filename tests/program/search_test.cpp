// Trainings of which only the result is wanted: cross-validation, the search for settings, the factors' penalty.
#include "../ratings.h"
#include "../refusal.h"

#include <fm/search.h>

#include <doctest/doctest.h>

using namespace fm;
using namespace gradus;

namespace {

TrainingOptions regression() {
  TrainingOptions options;
  options.task = Task::regression;
  options.batch = 64;
  return options;
}

}  // namespace

TEST_CASE("cross-validation leaves each row out once") {
  const Rows data = ratings(301);
  TrainingOptions options = regression();
  options.epochs = 2;
  std::int64_t rows = 0, calls = 0;
  const std::vector<ValidationFold> folds =
      cross_validate(data, {}, {}, options, 4, {}, [&](const ValidationFold& fold) {
        rows += fold.evaluation.examples;
        ++calls;
      });
  CHECK(rows == 301);
  CHECK(calls == 4);
  CHECK(folds.size() == 4);
}

TEST_CASE("a search halves by thirds and ends with the best") {
  const Rows::Split split = ratings(300).split(0.3, 1);
  const SharedBlocks train = in_one_block(split.train), validation = in_one_block(split.validation);
  TrainingOptions options = regression();
  options.patience = 3;
  int calls = 0;
  const std::vector<Candidate> all = search(train, validation, {}, options, {}, [&](const Candidate&) { ++calls; });
  CHECK(calls == 27 + 9 + 3);
  REQUIRE(all.size() == 27);
  CHECK(options.rate == all[0].rate);
  CHECK(options.factors == all[0].factors);
  CHECK(options.l2_v == all[0].l2);
  for (std::size_t i = 0; i < 27; ++i) CHECK(all[i].epochs == (i < 3 ? 18 : i < 9 ? 6 : 2));
  CHECK(all[0].validation <= all[2].validation);
  CHECK(refusal<ValueError>([&] { search(train, {}, {}, options, {}, {}); }) ==
        "a search compares on a validation set, but there is none; .valid_fraction holds one out");
}

TEST_CASE("the factors' penalty falls as long as the validation set is clearly the better for it") {
  // Targets that are interactions alone.
  std::vector<std::int64_t> row_start{0}, column;
  std::vector<float> y;
  for (std::int64_t i = 0; i < 800; ++i) {
    const std::int64_t user = (i * 7) % 20, item = (i * i + 3 * i + i / 20) % 30;
    column.insert(column.end(), {user, 20 + item});
    row_start.push_back(std::ssize(column));
    y.push_back(user % 2 == item % 2 ? 1.0F : -1.0F);
  }
  const Rows data{Tensor::csr(800, 50, row_start, column, std::vector<float>(column.size(), 1)),
                  Tensor::from(y, {800, 1})};
  const Rows::Split split = data.split(0.2, 1);
  const SharedBlocks train = in_one_block(split.train), validation = in_one_block(split.validation);
  TrainingOptions options;
  options.task = Task::binary;
  const double usual = *settled(options, summary_of(*train).size()).l2_v;
  const std::vector<Candidate> tried = weigh_factors(train, validation, {}, options, {}, {});
  CHECK(tried.front().l2 == usual);
  CHECK(*options.l2_v < usual);
  CHECK(tried.front().validation > 4 * tried.back().validation);
  CHECK(weighs_factors({}, 1000));
  TrainingOptions linear;
  linear.kind = ModelKind::linear;
  CHECK(!weighs_factors(linear, 1000));
  CHECK(!weighs_factors({}, 1'000'000));
}
