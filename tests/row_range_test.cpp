// Rows of a tensor as a view: the same memory, the same numbers as a copy, and what is refused.
#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/core/workers.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace gradus {
namespace {

// Rows of 0 to 4 non-zeros.   csr [n, 6]
Tensor sparse(std::int64_t n) {
  std::vector<std::int64_t> start{0};
  std::vector<std::int64_t> column;
  std::vector<float> values;
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t j = 0; j < r % 5; ++j) {
      column.push_back((r + j) % 6);
      values.push_back(static_cast<float>(values.size() + 1));
    }
    start.push_back(static_cast<std::int64_t>(column.size()));
  }
  return Tensor::csr(n, 6, start, column, values);
}

// The same rows, copied.
Tensor copied(const Tensor& x, std::int64_t first, std::int64_t count) {
  const Tensor dense = x.to_dense();
  const std::int64_t width = x.dim(1);
  const Tensor copy = Tensor::from(
      dense.span<float>().subspan(static_cast<std::size_t>(first * width), static_cast<std::size_t>(count * width)),
      {count, width});
  return x.layout() == Layout::csr ? copy.to_csr() : copy;
}

TEST_CASE("rows of a tensor are the numbers of a copy, in the same memory") {
  const Tensor dense = random_normal({9, 4});
  CHECK(dense.row_range(2, 3) == copied(dense, 2, 3));
  CHECK(dense.row_range(2, 3).data() == dense.data() + 2 * 4 * sizeof(float));
  CHECK(dense.row_range(0, 9) == dense);
  CHECK(dense.row_range(9, 0).shape() == Shape{0, 4});
  CHECK(Tensor({1, 2, 3}).row_range(1, 2) == Tensor({2, 3}));
  CHECK(Tensor({{{1, 2}}, {{3, 4}}}, int64).row_range(1, 1) == Tensor({{{3, 4}}}, int64));
  CHECK(zeros({3, 0}).row_range(1, 2) == zeros({2, 0}));

  const Tensor x = sparse(23);
  for (std::int64_t first = 0; first <= 23; ++first)
    for (std::int64_t count = 0; first + count <= 23; ++count) {
      const Tensor view = x.row_range(first, count);
      REQUIRE(view == copied(x, first, count));
      REQUIRE(view.row_range(count / 3, count / 2) == copied(x, first + count / 3, count / 2));
      REQUIRE_NOTHROW(view.pattern()->check());
    }
  const Tensor view = x.row_range(7, 5);
  CHECK(view.pattern()->row_start.front() == 0);
  CHECK(view.pattern()->column.data() == x.pattern()->column.data() + x.pattern()->row_start[7]);
  CHECK(view.at(2, 3) == x.at(9, 3));
  CHECK(view.values() == Tensor::from(view.span<float>(), {view.stored()}));
  CHECK(view.values().data() == view.data());
}

TEST_CASE("rows outlive the tensor they are of, and rows of rows both") {
  Tensor x = sparse(23);
  const Tensor expected = copied(x, 9, 4);
  Tensor some = x.row_range(7, 10);
  const Tensor few = some.row_range(2, 4);
  x = Tensor();
  some = Tensor();
  CHECK(few == expected);
}

TEST_CASE("what is found out about the columns of a view is that of its rows") {
  const Tensor x = sparse(23);
  x.pattern()->by_column();
  const Tensor view = x.row_range(11, 4);
  const Tensor copy = copied(x, 11, 4);
  const CsrPattern& a = *view.pattern();
  const CsrPattern& b = *copy.pattern();
  CHECK(a.active_columns()->row == b.active_columns()->row);
  CHECK(a.active().slot == b.active().slot);
  CHECK(a.by_column().start == b.by_column().start);
  CHECK(a.by_column().row == b.by_column().row);
  CHECK(a.by_column().position == b.by_column().position);
}

TEST_CASE("threads find the same columns, and the same slots, as one") {
  for (const std::int64_t columns : {1, 63, 64, 5000, 1000000})
    for (const std::int64_t rows : {0, 9, 400, 401, 3000}) {  // of a million by sorting, and by all words or some
      // Of each row the columns that a number scatters, ascending.
      std::vector<std::int64_t> start{0};
      std::vector<Index> column;
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t step = std::max<std::int64_t>(1, columns / (r % 13 + 4));
        for (std::int64_t c = (r * r + rows % 2) % step; c < columns; c += step)
          column.push_back(static_cast<Index>(c));
        start.push_back(std::ssize(column));
      }
      const auto set = [&](CsrPattern& pattern) {
        pattern.rows = rows;
        pattern.columns = columns;
        pattern.row_start = start;
        pattern.set_column(column);
      };
      CsrPattern alone;
      set(alone);
      for (const int threads : {2, 3, 8}) {
        CAPTURE(columns);
        CAPTURE(rows);
        CAPTURE(threads);
        Workers workers(threads);
        CsrPattern shared;
        set(shared);
        CHECK(shared.active(&workers).columns->row == alone.active_columns()->row);
        CHECK(shared.active().slot == alone.active().slot);
      }
      std::vector<Index> expected = column;
      std::sort(expected.begin(), expected.end());
      expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
      CHECK(alone.active_columns()->row == expected);
      std::vector<Index> found;
      for (const Index slot : alone.active().slot) found.push_back(expected.at(static_cast<std::size_t>(slot)));
      CHECK(found == column);
    }
}

// Memory that holds one pattern after the other: of the second on nobody asks for slots, or after the columns alone.
TEST_CASE("active columns are the same with slots and without, and slots may be asked for later") {
  for (const std::int64_t columns : {5000, 1'000'000, 100'000'000}) {  // found by all words, by some, by sorting
    CAPTURE(columns);
    CsrPattern kept;
    for (Index number = 0; number < 6; ++number) {
      CAPTURE(number);
      std::vector<Index> column;
      for (Index c = 0; c < 300; ++c) column.push_back((c * c + number) % 997 * static_cast<Index>(columns / 1000));
      const auto set = [&](CsrPattern& pattern) {
        pattern.columns = columns;
        std::ranges::copy(column, pattern.new_rows(300, 1).begin());
      };
      CsrPattern alone;
      set(alone);
      set(kept);
      const std::shared_ptr<const RowIndex> found = kept.active_columns();
      CHECK(found->row == alone.active().columns->row);
      if (number % 3 != 1) continue;
      CHECK(kept.active().slot == alone.active().slot);
      CHECK(kept.active().columns == found);
      CHECK(kept.by_column().position == alone.by_column().position);
    }
  }
}

TEST_CASE("a pattern whose columns are set anew forgets what it found out") {
  const Tensor x = sparse(23);
  CsrPattern pattern;
  for (std::int64_t first = 0; first < 20; ++first) {
    pattern.set_rows(x.pattern(), first, 3);
    const Tensor copy = copied(x, first, 3);
    CHECK(pattern.active_columns()->row == copy.pattern()->active_columns()->row);
    CHECK(pattern.by_column().position == copy.pattern()->by_column().position);
  }
  // Whoever still reads the columns that were active keeps them.
  const auto held = pattern.active_columns();
  const std::vector<Index> before = held->row;
  pattern.row_start = {0, 1};
  pattern.rows = 1;
  std::ranges::fill(pattern.new_column(1), 5);
  CHECK(pattern.active_columns()->row == std::vector<Index>{5});
  CHECK(held->row == before);
}

TEST_CASE("whether all rows have as many non-zeros") {
  const auto length = [](const std::vector<std::int64_t>& start) {
    std::vector<std::int64_t> column;
    for (std::size_t r = 1; r < start.size(); ++r)
      for (std::int64_t j = start[r - 1]; j < start[r]; ++j) column.push_back(j - start[r - 1]);
    const std::vector<float> values(column.size(), 2.0F);
    return Tensor::csr(std::ssize(start) - 1, 9, start, column, values).pattern()->row_length();
  };
  CHECK(length({0, 2, 4, 6}) == 2);
  CHECK(length({0, 2, 4, 5}) == -1);
  CHECK(length({0, 2, 3, 6}) == -1);
  CHECK(length({0, 0, 2, 4}) == -1);
  CHECK(length({0, 0, 0}) == 0);
  CHECK(length({0, 9}) == 9);
  CHECK(length({0}) == 0);

  // Rows of one length after rows of another, or of none, in the same memory.
  CsrPattern pattern;
  const auto check = [&](std::int64_t rows, std::int64_t of) {
    std::ranges::fill(pattern.new_rows(rows, of), 0);
    CHECK(pattern.rows == rows);
    CHECK(pattern.row_length() == of);
    REQUIRE(pattern.row_start.size() == static_cast<std::size_t>(rows) + 1);
    for (std::int64_t r = 0; r <= rows; ++r) CHECK(pattern.row_start[static_cast<std::size_t>(r)] == r * of);
    CHECK(pattern.non_zeros() == static_cast<std::int64_t>(pattern.column.size()));
  };
  check(4, 2);
  check(4, 2);
  check(5, 2);
  check(5, 3);
  check(2, 3);
  check(0, 3);
  check(3, 0);
  pattern.row_start = {0, 1, 3};
  pattern.rows = 2;
  std::ranges::fill(pattern.new_column(3), 0);
  CHECK(pattern.row_length() == -1);
  check(3, 1);
}

// All columns of a word active, none, and as many as fill several words at once.
TEST_CASE("the active columns of every density") {
  for (const std::int64_t columns : {1, 63, 64, 65, 640, 100000})
    for (const std::int64_t every : {1, 3, 40, 64, 1000}) {
      std::vector<std::int64_t> column;
      for (std::int64_t c = columns - 1; c >= 0; c -= every) column.push_back(c);
      std::reverse(column.begin(), column.end());
      const auto count = static_cast<std::int64_t>(column.size());
      const Tensor x = Tensor::csr(
          2, columns, std::vector<std::int64_t>{0, count, count + 1},
          [&] {
            std::vector<std::int64_t> two = column;
            two.push_back(column.back());
            return two;
          }(),
          std::vector<float>(column.size() + 1, 1.0F));
      const CsrPattern::Active& active = x.pattern()->active();
      CHECK(std::ranges::equal(active.columns->row, column));
      REQUIRE(active.slot.size() == column.size() + 1);
      bool slots_agree = true;
      for (std::size_t j = 0; j < column.size(); ++j) slots_agree &= active.slot[j] == static_cast<Index>(j);
      CHECK(slots_agree);
      CHECK(active.slot.back() == static_cast<Index>(count - 1));
    }
}

TEST_CASE("ops on views give the bits they give on copies") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 6});
  const Expr D = g.placeholder("D", {any, 6});
  const Expr b = g.constant(random_normal({6, 3}, {.seed = 3}));
  const std::vector<Expr> all{matmul(X, b),
                              matmul(D, X, {.transpose_b = true}),
                              transpose(X),
                              reduce_sum(X, 0),
                              to_dense(X * 2.0),
                              X + square(X),
                              matmul(transpose(X), D),
                              to_csr(D)};
  const Tensor x = sparse(23);
  const Tensor d = random_normal({23, 6});
  Session views(g);
  Session copies(g);
  for (std::int64_t first = 0; first < 20; first += 3) {
    const auto a = views.run(all, {{X, x.row_range(first, 3)}, {D, d.row_range(first, 3)}});
    const auto b_ = copies.run(all, {{X, copied(x, first, 3)}, {D, copied(d, first, 3)}});
    for (std::size_t i = 0; i < all.size(); ++i) CHECK(a[i] == b_[i]);
  }
}

TEST_CASE("rows that a tensor has not, and tensors that have none") {
  const Tensor x = sparse(7);
  CHECK_THROWS_WITH_AS(x.row_range(3, 5),
                       "row_range: 5 rows from row 3 of a tensor float32 csr [7, 6] were asked for; it has 7",
                       ValueError);
  CHECK_THROWS_WITH_AS(x.row_range(8, 0),
                       "row_range: 0 rows from row 8 of a tensor float32 csr [7, 6] were asked for; it has 7",
                       ValueError);
  CHECK_THROWS_WITH_AS(x.row_range(-1, 1),
                       "row_range: 1 row from row -1 of a tensor float32 csr [7, 6] were asked for; it has 7",
                       ValueError);
  CHECK_THROWS_AS(x.row_range(1, -1), ValueError);
  CHECK_THROWS_AS(x.row_range(INT64_MAX, 1), ValueError);
  CHECK_THROWS_AS(x.row_range(1, INT64_MAX), ValueError);
  CHECK_THROWS_WITH_AS(Tensor(1).row_range(0, 1),
                       "row_range: the tensor is float32 []; a dense or csr one that has rows is needed", TypeError);
}

}  // namespace
}  // namespace gradus
