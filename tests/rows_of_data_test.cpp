// Data sets: what fits together, rows of them as views and as copies, and the two parts of a split.
#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/models/data/rows.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace gradus {
namespace {

// Row r has `most` non-zeros, or r modulo (most + 1) of them; y is r.   [n, 10], [n, 1]
Rows numbered(std::int64_t n, bool same_length, std::int64_t most = 3) {
  std::vector<std::int64_t> start{0};
  std::vector<std::int64_t> column;
  std::vector<float> values;
  std::vector<float> y;
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t j = 0; j < (same_length ? most : r % (most + 1)); ++j) {
      column.push_back((r * 7 + j * 3) % 10);
      values.push_back(static_cast<float>(100 * r + j));
    }
    start.push_back(static_cast<std::int64_t>(column.size()));
    y.push_back(static_cast<float>(r));
  }
  return {Tensor::csr(n, 10, start, column, values), Tensor::from(y, {n, 1}), {}};
}

// Row by row: all of them, or only the ones named.
void check_rows(const Rows& part, const Rows& whole, const std::vector<Index>& rows) {
  REQUIRE(part.size() == static_cast<std::int64_t>(rows.size()));
  REQUIRE_NOTHROW(part.check());
  const Tensor x = part.x.to_dense();
  const Tensor all = whole.x.to_dense();
  for (std::int64_t i = 0; i < part.size(); ++i) {
    const std::int64_t r = rows[static_cast<std::size_t>(i)];
    CHECK(x.row_range(i, 1) == all.row_range(r, 1));
    CHECK(part.y.at(i, 0) == whole.y.at(r, 0));
    if (whole.weighted()) CHECK(part.weight.at(i, 0) == whole.weight.at(r, 0));
  }
  CHECK(part.weighted() == whole.weighted());
  if (part.x.layout() == Layout::csr) CHECK_NOTHROW(part.x.pattern()->check());
}

Tensor ones_like(const Tensor& csr) { return Tensor::csr(csr.pattern(), ones({csr.stored()})); }

std::vector<Rows> kinds() {
  Rows weighted = numbered(41, false);
  weighted.weight = random_uniform({41, 1});
  Rows dense = weighted;
  dense.x = weighted.x.to_dense();
  Rows doubles = numbered(41, false);
  doubles.x = doubles.x.cast(float64);
  Rows ones = numbered(41, false);
  ones.x = ones_like(ones.x);
  Rows equal_ones = numbered(41, true);
  equal_ones.x = ones_like(equal_ones.x);
  return {numbered(41, true),
          numbered(41, false),
          numbered(41, true, 1),
          numbered(41, true, 0),
          weighted,
          dense,
          doubles,
          ones,
          equal_ones};
}

TEST_CASE("rows in a row are views, in memory of their own or given") {
  for (const Rows& data : kinds()) {
    const auto memory = std::make_shared<RowMemory>();
    check_rows(data.range(5, 4), data, {5, 6, 7, 8});
    check_rows(data.range(40, 1, memory), data, {40});
    check_rows(data.range(5, 4, memory), data, {5, 6, 7, 8});
    CHECK(data.range(5, 4).y.data() == data.y.data() + 5 * sizeof(float));
    // Any ones do.
    const auto at = data.x.ones() ? 0 : data.x.layout() == Layout::csr ? data.x.pattern()->row_start[5] : 50;
    CHECK(data.range(5, 4, memory).x.data() == data.x.data() + static_cast<std::size_t>(at) * size_of(data.x.dtype()));
  }
}

TEST_CASE("rows in any order are copies, in memory of their own or given") {
  for (const Rows& data : kinds()) {
    const auto memory = std::make_shared<RowMemory>();
    const std::vector<Index> some{40, 0, 7, 7, 23, 3};
    std::vector<Index> many;
    for (Index i = 0; i < 100; ++i) many.push_back(i * 17 % 41);
    check_rows(data.take(some), data, some);
    check_rows(data.take(many, memory), data, many);
    check_rows(data.take(some, memory), data, some);
    CHECK(data.take({}).size() == 0);
    CHECK(data.take({}).x.shape() == Shape{0, 10});
  }
}

TEST_CASE("rows of ones share them, as long as there are enough") {
  for (const Rows& data : kinds()) {
    if (!data.x.ones() || data.x.stored() == 0) continue;
    const Rows some = data.take(std::vector<Index>{7, 40, 7});
    CHECK(some.x.ones());
    CHECK(some.x.data() == data.x.data());
    CHECK(data.range(5, 4).x.ones());
    const std::vector<Index> often(200, 7);
    const Rows many = data.take(often);
    REQUIRE(many.x.stored() > data.x.stored());
    CHECK(many.x.ones());
    CHECK(many.x.data() != data.x.data());
    check_rows(many, data, often);
  }
}

TEST_CASE("rows out of range") {
  const Rows data = numbered(7, true);
  CHECK_THROWS_WITH_AS(data.take(std::vector<Index>{1, 7}),
                       "take: row 7 of float32 csr [7, 10] is asked for; rows are 0 to 6", ValueError);
  CHECK_THROWS_WITH_AS(data.take(std::vector<Index>{-1}),
                       "take: row -1 of float32 csr [7, 10] is asked for; rows are 0 to 6", ValueError);
  CHECK_THROWS_AS(data.range(5, 3), ValueError);
  CHECK_THROWS_AS(data.range(-1, 3, std::make_shared<RowMemory>()), ValueError);
}

TEST_CASE("a split has every row once, in the order of the data") {
  for (const Rows& data : kinds()) {
    const auto [train, validation] = data.split(0.25, 3);
    CHECK(validation.size() == 10);
    CHECK(train.size() == 31);
    std::vector<Index> rows[2];
    int part = 0;
    for (const Rows& of : {train, validation}) {
      for (const double y : of.y) rows[part].push_back(static_cast<Index>(y));
      CHECK(std::is_sorted(rows[part].begin(), rows[part].end()));
      check_rows(of, data, rows[part]);
      ++part;
    }
    std::vector<Index> all;
    std::merge(rows[0].begin(), rows[0].end(), rows[1].begin(), rows[1].end(), std::back_inserter(all));
    REQUIRE(all.size() == 41);
    for (Index r = 0; r < 41; ++r) CHECK(all[static_cast<std::size_t>(r)] == r);
    CHECK(data.split(0.25, 3).validation.y == validation.y);
    CHECK_FALSE(data.split(0.25, 4).validation.y == validation.y);
  }
}

TEST_CASE("a split that leaves nothing") {
  const Rows data = numbered(7, true);
  CHECK(data.split(0.1).validation.size() == 1);
  CHECK(data.split(0.9).train.size() == 1);
  CHECK_THROWS_WITH_AS(data.split(0.01),
                       "split: a fraction of 0.01 of 7 rows is asked for; each part must have one at least",
                       ValueError);
  CHECK_THROWS_WITH_AS(data.split(1), "split: a fraction of 1 of 7 rows is asked for; each part must have one at least",
                       ValueError);
  CHECK_THROWS_AS(data.split(0.99), ValueError);
  CHECK_THROWS_AS(data.split(-0.5), ValueError);
  CHECK_THROWS_AS(data.split(std::nan("")), ValueError);
  CHECK_THROWS_AS(data.split(std::numeric_limits<double>::infinity()), ValueError);
  CHECK_THROWS_WITH_AS(numbered(1, true).split(0.5),
                       "split: a fraction of 0.5 of 1 row is asked for; each part must have one at least", ValueError);
}

TEST_CASE("data that do not fit together") {
  const Rows good = numbered(3, true);
  const Tensor y({{1}, {2}, {3}});
  const auto refused = [&](const Tensor& x, const Tensor& targets, const Tensor& weight, const char* text) {
    CHECK_THROWS_WITH_AS((Rows{x, targets, weight}.check()), text, ValueError);
  };
  CHECK_NOTHROW((Rows{good.x, y, {}}.check()));
  CHECK_NOTHROW((Rows{good.x, Tensor({{1}, {0}, {1}}, int64), y}.check()));
  refused({}, {}, {}, "Rows: x is float32 [0]; a csr or dense matrix [n, p] is expected");
  refused(zeros({3, 2, 2}), y, {}, "Rows: x is float32 [3, 2, 2]; a csr or dense matrix [n, p] is expected");
  refused(zeros({0, 2}), zeros({0, 1}), {}, "Rows: x is float32 [0, 2]; 1 to 2147483647 rows are expected");
  refused(good.x, zeros({2, 1}), {},
          "Rows: x is float32 csr [3, 10] but y is float32 [2, 1]; dense [3, 1] is expected, a number for each row "
          "of x");
  refused(good.x, zeros({3}), {},
          "Rows: x is float32 csr [3, 10] but y is float32 [3]; dense [3, 1] is expected, a number for each row of "
          "x");
  refused(good.x, Tensor({{1}, {0}, {1}}).to_csr(), {},
          "Rows: x is float32 csr [3, 10] but y is float32 csr [3, 1]; dense [3, 1] is expected, a number for each "
          "row of x");
  refused(good.x, y, zeros({3}),
          "Rows: x is float32 csr [3, 10] but weight is float32 [3]; dense [3, 1] is expected, a number for each row "
          "of x");
  refused(good.x, Tensor({{1.0}, {2.0}, {std::nan("")}}), {}, "Rows: y of row 2 is nan; a finite number is expected");
  refused(good.x, y, Tensor({{1.0}, {-2.0}, {1.0}}),
          "Rows: weight of row 1 is -2; a finite number, 0 or more, is expected");
  refused(good.x, y, Tensor({{1.0}, {1.0}, {std::numeric_limits<double>::infinity()}}),
          "Rows: weight of row 2 is inf; a finite number, 0 or more, is expected");
}

}  // namespace
}  // namespace gradus
