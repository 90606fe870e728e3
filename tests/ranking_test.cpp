// What comes before training: targets of two classes, the scale of columns, and pairs for ranking; and that ranking
// learns.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/batches.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/pair_sampler.h>
#include <gradus/models/metrics.h>
#include <gradus/models/model.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <utility>
#include <vector>

namespace gradus {
namespace {

constexpr std::int64_t users = 12, items = 9, genres = 2;

// Users take the items that have their number's parity, all or most of them; an item's genre is a column of its own.
Rows takings(bool all = false) {
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value;
  for (std::int64_t u = 0; u < users; ++u)
    for (std::int64_t i = u % 2; i < items; i += 2) {
      if (!all && (i + u) % 5 == 0) continue;
      column.insert(column.end(), {u, users + i, users + items + i % genres});
      value.insert(value.end(), {1, 1, 0.5F});
      start.push_back(static_cast<std::int64_t>(column.size()));
    }
  const auto n = static_cast<std::int64_t>(start.size()) - 1;
  return {Tensor::csr(n, users + items + genres, start, column, value), full({n, 1}, 5)};
}

std::vector<bool> of_item() {
  std::vector<bool> out(static_cast<std::size_t>(users + items + genres), true);
  std::fill_n(out.begin(), users, false);
  return out;
}

// Column of the user and of the item in a row.
std::pair<std::int64_t, std::int64_t> who_and_what(const Tensor& x, std::int64_t row) {
  const CsrPattern& p = *x.pattern();
  const auto first = static_cast<std::size_t>(p.row_start[static_cast<std::size_t>(row)]);
  return {p.column[first], p.column[first + 1] - users};
}

}  // namespace

TEST_CASE("binary targets of either form are brought to -1 and 1") {
  const BinaryTargets zero_one = binary_targets(Tensor({{1}, {0}, {1}}));
  CHECK(zero_one.form == BinaryForm::zero_one);
  CHECK(zero_one.y == Tensor({{1}, {-1}, {1}}));
  const BinaryTargets signs = binary_targets(Tensor({{1}, {-1}}));
  CHECK(signs.form == BinaryForm::signs);
  CHECK(signs.y == Tensor({{1}, {-1}}));
  // In blocks: what the first cannot tell, the second does.
  const BinaryTargets ones = binary_targets(Tensor({{1}, {1}}));
  CHECK(ones.form == BinaryForm::ones);
  CHECK(binary_targets(Tensor({{0}}, float64), ones.form).y == Tensor({{-1}}, float64));
  CHECK(binary_targets(Tensor({{1}}), BinaryForm::zero_one).form == BinaryForm::zero_one);
  CHECK(binary_targets(zeros({0, 1})).form == BinaryForm::ones);

  CHECK(refusal<ValueError>([] {
          binary_targets(Tensor({{1}, {0}, {2}}));
        }) == "binary_targets: the target of row 2 is 2; 0 and 1, or -1 and 1, are expected");
  CHECK(refusal<ValueError>([] {
          binary_targets(Tensor({{1}, {0}, {-1}}));
        }) ==
        "binary_targets: the target of row 2 is -1 where others before it are 0; 0 and 1, or -1 and 1, are expected");
  CHECK(refusal<ValueError>([] { binary_targets(Tensor({{0}}), BinaryForm::signs); }) ==
        "binary_targets: the target of row 0 is 0 where others before it are -1; 0 and 1, or -1 and 1, are expected");
  CHECK(refusal<ValueError>([] { binary_targets(Tensor({{std::numeric_limits<double>::quiet_NaN()}})); }) ==
        "binary_targets: the target of row 0 is nan; 0 and 1, or -1 and 1, are expected");
}

TEST_CASE("columns are divided by their greatest absolute value in training") {
  const Tensor x({{1, 0, -8, 0}, {0, 0, 4, 0.25}}), more({{0, 0, 2, -0.5}});
  for (const bool csr : {false, true}) {
    ColumnScale scale(4);
    scale.add(csr ? x.to_csr() : x);
    scale.add(csr ? more.to_csr() : more);
    CHECK(scale.tensor() == Tensor({1, 1, 8, 0.5}));
    CHECK(scale.tensor(float64).dtype() == float64);
    const Tensor scaled = divide_columns(csr ? x.to_csr() : x, scale.tensor());
    CHECK(scaled.layout() == (csr ? Layout::csr : Layout::dense));
    CHECK(scaled.to_dense() == Tensor({{1, 0, -1, 0}, {0, 0, 0.5, 0.5}}));
  }
  const Tensor one_hot = Tensor({{1, 0}, {0, 1}}).to_csr();
  CHECK(divide_columns(one_hot, ones({2})).ones());
  ColumnScale third(1);
  third.add(Tensor({{3}}));
  CHECK(divide_columns(Tensor({{3}}), third.tensor()).at(0, 0) == 1);

  CHECK(refusal<TypeError>([&] { ColumnScale(3).add(x); }) ==
        "ColumnScale: x is float32 [2, 4]; a csr or dense matrix of numbers with 3 columns is expected");
  CHECK(refusal<ValueError>([] { ColumnScale(1).add(Tensor({{std::numeric_limits<double>::infinity()}})); }) ==
        "ColumnScale: column 0 has inf; a finite number is expected");
  CHECK(refusal<ValueError>([&] {
          divide_columns(x, Tensor({1, 1, 0, 1}));
        }) == "divide_columns: the scale of column 2 is 0; a finite number above 0 is expected");
  CHECK(refusal<TypeError>([&] { divide_columns(x, ones({4}, float64)); }) ==
        "divide_columns: x is float32 [2, 4] but scale is float64 [4]; cast one of them");
  CHECK(refusal<TypeError>([&] { divide_columns(x, x); }) ==
        "divide_columns: scale is float32 [2, 4]; a vector is expected, a number for each column");
}

TEST_CASE("a pair is a row and one of its user with an item not taken") {
  const Rows data = takings();
  const PairSampler sampler(data, of_item(), 7);
  CHECK(sampler.users() == users);
  CHECK(sampler.items() == items);
  std::set<std::pair<std::int64_t, std::int64_t>> taken;
  for (std::int64_t r = 0; r < data.size(); ++r) taken.insert(who_and_what(data.x, r));

  std::set<std::int64_t> drawn;
  for (int epoch = 0; epoch < 30; ++epoch) {
    const Batch batch{data.x, data.y,
                      Tensor::make<float>({data.size(), 1},
                                          [](std::span<float> w) {
                                            for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i);
                                          }),
                      3, epoch};
    const Batch pairs = sampler.pairs(batch);
    REQUIRE(pairs.x.shape() == Shape{2 * data.size(), users + items + genres});
    CHECK_NOTHROW(pairs.x.pattern()->check());
    CHECK_NOTHROW(check_targets(Task::ranking, pairs.y));
    CHECK(pairs.number == 3);
    CHECK(pairs.epoch == epoch);
    for (std::int64_t r = 0; r < data.size(); ++r) {
      CHECK(pairs.x.row_range(2 * r, 1).to_dense() == data.x.row_range(r, 1).to_dense());
      const auto [user, item] = who_and_what(pairs.x, 2 * r + 1);
      CHECK(user == who_and_what(data.x, r).first);
      CHECK(taken.count({user, item}) == 0);
      CHECK(pairs.x.at(2 * r + 1, users + items + item % genres) == 0.5);  // all that describes the item
      CHECK(pairs.y.at(2 * r, 0) == 1);
      CHECK(pairs.weight.at(2 * r + 1, 0) == static_cast<double>(r));
      drawn.insert(item);
    }
    // The same draw for the same place, another for another.
    CHECK(sampler.pairs(batch).x == pairs.x);
    Batch next = batch;
    next.number = 4;
    CHECK_FALSE(sampler.pairs(next).x == pairs.x);
    CHECK_FALSE(PairSampler(data, of_item(), 8).pairs(batch).x == pairs.x);
  }
  CHECK(static_cast<std::int64_t>(drawn.size()) == items);
  CHECK(sampler.pairs({data.x, data.y}).weight.size() == 0);
}

TEST_CASE("users and items that the data has not") {
  const Rows data = takings();
  const PairSampler sampler(data, of_item());
  // A user of two columns, and an item without a genre.
  const Tensor x = Tensor::csr<float, std::int64_t>(1, users + items + genres, {0, 3}, {0, 1, users + 4}, {1, 1, 1});
  CHECK(sampler.users_of(x) == std::vector<Index>{-1});
  CHECK(sampler.users_of(data.x).front() == 0);
  CHECK(sampler.users_of(data.x).back() == users - 1);
  const Batch pairs = sampler.pairs({x, ones({1, 1})});
  CHECK(pairs.x.at(1, 0) == 1);
  CHECK(pairs.x.at(1, 1) == 1);
}

TEST_CASE("what PairSampler refuses") {
  const Rows data = takings();
  CHECK(refusal<TypeError>([&] {
          PairSampler(data, {true, false});
        }) ==
        "PairSampler: x is float32 csr [44, 23]; float32 csr with 2 columns, as many as of_item has, is expected");
  CHECK(refusal<ValueError>([&] { PairSampler(data, std::vector<bool>(23, false)); }) ==
        "PairSampler: row 0 has no column of an item");
  const Tensor x = Tensor({{1, 0, 1, 0}, {1, 0, 0, 1}, {0, 1, 1, 0}}).to_csr();
  CHECK(refusal<ValueError>([&] {
          PairSampler({x, ones({3, 1})}, {false, false, true, true});
        }) ==
        "PairSampler: the user of row 0 has taken every item, of which there are 2; none is left to be ranked "
        "lower");
}

TEST_CASE("ranking learns what is taken: the AUC of users rises") {
  const Rows data = takings(true);
  const PairSampler sampler(data, of_item(), 1);
  Graph g;
  const Model model = make_model(g, data.x.dim(1), {.task = Task::ranking, .factors = 4, .init_stddev = 0.1});
  const Expr train = Adagrad(0.2).minimize(model.loss);
  Session session(g);
  const Batch pairs = sampler.pairs({data.x, data.y, {}, 0, 1000});
  const auto area = [&] {
    return mean_auc(sampler.users_of(pairs.x), pairs.y, session.run(model.prediction, {{model.X, pairs.x}}));
  };
  CHECK(area() < 0.7);
  const Batches batches(data, {.size = 16, .map = [&](Batch& batch) { batch = sampler.pairs(batch); }});
  for (int e = 0; e < 60; ++e)
    for (const Batch& batch : batches.epoch(e)) session.run(train, {{model.X, batch.x}, {model.y, batch.y}});
  CHECK(area() > 0.99);
}

}  // namespace gradus
