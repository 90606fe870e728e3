// The layouts rows (the other rows are zero) and part (the other rows are not said): what ops make of them, what an
// assign of a part touches, and what is refused.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

std::vector<Index> rows_of(const Tensor& tensor) { return tensor.index()->row; }

// A table [4, 2], and two rows values of its shape: i feeds the rows of a (all their numbers 1, 2 for a row given
// twice, ...) and j those of b.
struct Table {
  Graph g;
  Expr w = g.variable("w", Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  Expr i = g.placeholder("i", {any}, int32);
  Expr j = g.placeholder("j", {any}, int32);
  Expr ones_i =
      reshape(cast(equal(tile(expand_dims(i, 1), {1, 2}), tile(expand_dims(i, 1), {1, 2})), float32), {any, 2});
  Expr ones_j =
      reshape(cast(equal(tile(expand_dims(j, 1), {1, 2}), tile(expand_dims(j, 1), {1, 2})), float32), {any, 2});
  Expr a = scatter_add(i, ones_i, {4, 2});
  Expr b = scatter_add(j, ones_j, {4, 2});
  Session session{g};

  Tensor run(const Expr& y, std::initializer_list<Tensor::Literal> rows_a,
             std::initializer_list<Tensor::Literal> rows_b = {0}) {
    return session.run(y, {{i, Tensor(rows_a, int32)}, {j, Tensor(rows_b, int32)}});
  }
};

TEST_CASE("indices ascend, each once; equal ones add up") {
  Table t;
  const Tensor a = t.run(t.a, {3, 1, 3, 3});
  CHECK(a.layout() == Layout::rows);
  CHECK(rows_of(a) == std::vector<Index>{1, 3});
  CHECK(a.to_dense() == Tensor({{0, 0}, {1, 1}, {0, 0}, {3, 3}}));
  CHECK(a.at(3, 1) == 3);
  CHECK(a.at(2, 0) == 0);
  CHECK(t.run(to_dense(t.a), {3, 1, 3, 3}) == a.to_dense());
}

TEST_CASE("no row at all") {
  Table t;
  const Tensor none = t.session.run(t.a, {{t.i, Tensor(zeros({0}, int32))}});
  CHECK(none.layout() == Layout::rows);
  CHECK(none.stored() == 0);
  CHECK(none.to_dense() == Tensor(zeros({4, 2})));
  const Expr step = t.g.assign(t.w, part_of(t.w, t.a) - t.a);
  t.session.run(step, {{t.i, Tensor(zeros({0}, int32))}});
  CHECK(t.session.value(t.w) == Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
}

TEST_CASE("sums of different rows hold the rows of both") {
  Table t;
  const Tensor sum = t.run(t.a + t.b, {0, 2}, {2, 3});
  CHECK(sum.layout() == Layout::rows);
  CHECK(rows_of(sum) == std::vector<Index>{0, 2, 3});
  CHECK(sum.to_dense() == Tensor({{1, 1}, {0, 0}, {2, 2}, {1, 1}}));
  CHECK(t.run(t.a - t.b, {0, 2}, {2, 3}).to_dense() == Tensor({{1, 1}, {0, 0}, {0, 0}, {-1, -1}}));
  CHECK(rows_of(t.run(t.a + t.b, {1, 2}, {2, 1})) == std::vector<Index>{1, 2});
  CHECK(t.run(t.a + t.b + t.a, {1}, {3}).to_dense() == Tensor({{0, 0}, {2, 2}, {0, 0}, {1, 1}}));
  CHECK(t.run(maximum(t.a, -t.b), {0}, {3}).to_dense() == Tensor({{1, 1}, {0, 0}, {0, 0}, {0, 0}}));
}

TEST_CASE("functions that keep zeros keep the rows, others make dense values") {
  Table t;
  for (const Expr& y : {-t.a, 3 * t.a, t.a / 2, square(t.a), t.a * t.w, t.w * t.a, t.a * Tensor({1, 2})}) {
    CAPTURE(to_string(y));
    CHECK(y.layout() == Layout::rows);
    CHECK(rows_of(t.run(y, {1})) == std::vector<Index>{1});
  }
  CHECK(t.run(t.a * t.w, {1, 2}).to_dense() == Tensor({{0, 0}, {3, 4}, {5, 6}, {0, 0}}));
  for (const Expr& y : {t.a + 1, exp(t.a), t.a + t.w, t.w - t.a, 1 / (t.a + 1)}) {
    CAPTURE(to_string(y));
    CHECK(y.layout() == Layout::dense);
  }
  CHECK(t.run(t.a + t.w, {1, 1}) == Tensor({{1, 2}, {5, 6}, {5, 6}, {7, 8}}));
  CHECK(t.run(t.w - t.a, {0}) == Tensor({{0, 1}, {3, 4}, {5, 6}, {7, 8}}));
  CHECK(t.run(t.a + 1, {0}) == Tensor({{2, 2}, {1, 1}, {1, 1}, {1, 1}}));
}

TEST_CASE("reductions and products of rows values are those of the dense ones") {
  Table t;
  CHECK(t.run(reduce_sum(to_dense(t.a)), {0, 0, 3}).item() == 6);
  CHECK(t.run(reduce_sum(t.a), {0, 0, 3}).item() == 6);
  CHECK(t.run(norm(t.a), {0, 3}).item() == 2);
}

TEST_CASE("part_of reads the rows that another holds") {
  Table t;
  const Expr part = part_of(t.w, t.a);
  CHECK(part.layout() == Layout::part);
  const Tensor read = t.run(part, {3, 0, 3});
  CHECK(rows_of(read) == std::vector<Index>{0, 3});
  CHECK(read.span<float>()[0] == 1);
  CHECK(read.span<float>()[3] == 8);
  CHECK(same_node(part_of(t.w, t.w + 1), t.w));  // of a dense gradient the whole table is read
  CHECK((part + 1).layout() == Layout::part);
  CHECK(sqrt(part).layout() == Layout::part);
  CHECK((part - t.a).layout() == Layout::part);
  CHECK((t.a * part).layout() == Layout::part);
}

TEST_CASE("an assign of a part changes its rows and no other") {
  Table t;
  const Expr step = t.g.assign(t.w, part_of(t.w, t.a) - 10 * t.a);
  CHECK(rows_of(t.run(step, {2, 0})) == std::vector<Index>{0, 2});
  CHECK(t.session.value(t.w) == Tensor({{-9, -8}, {3, 4}, {-5, -4}, {7, 8}}));
  t.run(step, {3});
  CHECK(t.session.value(t.w) == Tensor({{-9, -8}, {3, 4}, {-5, -4}, {-3, -2}}));
}

TEST_CASE("reads in the run see the table before a part of it was assigned") {
  Table t;
  const Expr step = t.g.assign(t.w, part_of(t.w, t.a) * 0);
  const std::vector<Expr> fetches{t.w, step, gather(t.w, t.i), t.w + 0};
  const auto all = t.session.run(fetches, {{t.i, Tensor({1, 3}, int32)}});
  CHECK(all[0] == Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  CHECK(all[2] == Tensor({{3, 4}, {7, 8}}));
  CHECK(all[3] == all[0]);
  CHECK(t.session.value(t.w) == Tensor({{1, 2}, {0, 0}, {5, 6}, {0, 0}}));
}

TEST_CASE("parts of one table from two indices are not assigned in one run") {
  Table t;
  const Expr first = t.g.assign(t.w, part_of(t.w, t.a) * 0), second = t.g.assign(t.w, part_of(t.w, t.b) + 100);
  CHECK_THROWS_AS(t.run(t.g.group({{first, second}}), {0, 1}, {1, 2}), ValueError);
  t.run(first, {0, 1}, {1, 2});
  t.run(second, {0, 1}, {1, 2});
  CHECK(t.session.value(t.w) == Tensor({{0, 0}, {100, 100}, {105, 106}, {7, 8}}));
}

TEST_CASE("tables of one and of three axes") {
  Graph g;
  const Expr v = g.variable("v", Tensor({1, 2, 3}));
  const Expr cube = g.variable("cube", Tensor({{{1, 2}}, {{3, 4}}}));
  const Expr index = g.placeholder("index", {any}, int64);
  const Expr dv = scatter_add(index, gather(v, index), {3});
  const Expr dcube = scatter_add(index, gather(cube, index), {2, 1, 2});
  const Expr step = g.group({{g.assign(v, part_of(v, dv) + dv), g.assign(cube, part_of(cube, dcube) - dcube)}});
  Session session(g);
  session.run(step, {{index, Tensor({1}, int64)}});
  CHECK(session.value(v) == Tensor({1, 4, 3}));
  CHECK(session.value(cube) == Tensor({{{1, 2}}, {{0, 0}}}));
}

// count numbers from `first` on, in steps of a quarter.   [count / width, width]
Tensor quarters(std::int64_t count, std::int64_t width, double first) {
  return Tensor(arange(first, first + static_cast<double>(count) / 4, 0.25)).reshape({count / width, width});
}

// Every third row from `first` on.
Tensor thirds(std::int64_t first, std::int64_t count) {
  return arange(static_cast<double>(first), static_cast<double>(first + 3 * count), 3, int64);
}

TEST_CASE("rows of one number beside rows of several are repeated along them") {
  constexpr std::int64_t p = 1500;
  // Rows held: more than are laid out at a time, so that some row is cut in two; then few, and none.
  for (const std::int64_t k : {1, 3, 8, 16, 20, 32, 33})
    for (const std::int64_t held : {490, 5, 0}) {
      CAPTURE(k);
      CAPTURE(held);
      Graph g;
      const Expr i = g.placeholder("i", {any}, int64);
      const Expr j = g.placeholder("j", {any}, int64);
      const Expr x = g.placeholder("x", {any, k});
      const Expr c = g.placeholder("c", {any, 1});
      const Expr wide = scatter_add(i, x, {p, k});
      const Expr narrow = scatter_add(j, c, {p, 1});
      const Expr a = to_dense(wide), b = to_dense(narrow);
      const Expr table = g.variable("table", quarters(p * k, k, 1));
      const Expr wide_part = part_of(table, wide);
      Session session(g, Device::cpu(), {.threads = 3});
      const auto run = [&](const Expr& y, std::int64_t first_narrow) {
        return session.run(y, {{i, thirds(0, held)},
                               {j, thirds(first_narrow, held)},
                               {x, quarters(held * k, k, -20)},
                               {c, quarters(held, 1, 2)}});
      };
      // With the same rows; with others, of which some are the same (6, 9 ...); and with none in common.
      for (const std::int64_t first : {0, 6, 1}) {
        CAPTURE(first);
        const std::vector<std::pair<Expr, Expr>> pairs{{wide * narrow, a * b},
                                                       {narrow * wide, b * a},
                                                       {wide + narrow, a + b},
                                                       {narrow - wide, b - a},
                                                       {maximum(wide, narrow), maximum(a, b)}};
        for (const auto& [y, dense] : pairs) {
          const std::string name = to_string(y);
          CAPTURE(name);
          REQUIRE(y.layout() == Layout::rows);
          REQUIRE(y.shape() == Shape({p, k}));
          const Tensor found = run(y, first);
          CHECK(found.layout() == Layout::rows);
          CHECK(found.to_dense() == run(dense, first));
          const std::int64_t in_common = first == 0 ? held : first == 6 ? std::max<std::int64_t>(held - 2, 0) : 0;
          CHECK(found.index()->count() == 2 * held - in_common);
        }
      }
      // A part knows no other rows: only the same ones will do.
      const Tensor part = run(wide_part - narrow, 0);
      CHECK(part.layout() == Layout::part);
      CHECK(part.index()->row == run(wide, 0).index()->row);
      const Tensor expected = run(gather(table, i) - c, 0);
      CHECK(Tensor::from(std::vector<float>(part.span<float>().begin(), part.span<float>().end())) ==
            expected.reshape({held * k}));
      if (held > 0)
        CHECK(refusal<ValueError>([&] {
                run(wide_part - narrow, 1);
              }).starts_with("subtract: its sparse operands hold different rows (subtract"));
    }
}

TEST_CASE("rows of matrices repeat an axis in their midst, or the last") {
  Graph g;
  const Expr i = g.placeholder("i", {any}, int64);
  const Expr j = g.placeholder("j", {any}, int64);
  const Expr cube = scatter_add(i, g.constant(Tensor({{{1, 2, 3}, {4, 5, 6}}, {{7, 8, 9}, {10, 11, 12}}})), {5, 2, 3});
  const Expr row = scatter_add(j, g.constant(Tensor({{{1, 2, 3}}, {{4, 5, 6}}})), {5, 1, 3});
  const Expr column = scatter_add(j, g.constant(Tensor({{{1}, {2}}, {{3}, {4}}})), {5, 2, 1});
  Session session(g);
  for (const Tensor& others : {Tensor({0, 3}, int64), Tensor({3, 4}, int64)})
    for (const Expr& narrow : {row, column}) {
      const std::vector<Feed> feeds{{i, Tensor({0, 3}, int64)}, {j, others}};
      CHECK(session.run(cube * narrow, feeds).to_dense() == session.run(to_dense(cube) * to_dense(narrow), feeds));
      CHECK(session.run(cube - narrow, feeds).to_dense() == session.run(to_dense(cube) - to_dense(narrow), feeds));
    }
}

TEST_CASE("what rows and parts refuse") {
  Table t;
  const Expr s = t.g.sparse_placeholder("s", {4, 2});
  const int line = __LINE__ - 1;
  const Expr part = part_of(t.w, t.a);
  const Expr other_part = part_of(t.w, t.b);
  CHECK(refusal([&] { t.g.assign(t.w, t.a); }).ends_with("); use to_dense"));
  CHECK(refusal([&] { to_dense(part); }) ==
        "to_dense: x is part (part_of, " + here(line + 2) + "); its other rows are not known");
  CHECK(refusal([&] { part_of(t.w, s); }) ==
        "part_of: rows is csr (s: float32 csr [4, 2] (" + here(line) + ")); rows is expected");
  CHECK(refusal([&] { part + s; }) ==
        "add: a is part (part_of, " + here(line + 2) + ") but b is csr (s, " + here(line) + "); use to_dense");
  CHECK(refusal<ValueError>([&] {
          t.run(part + other_part, {0}, {1});
        }).starts_with("add: its sparse operands hold different rows (add, rows_layout_test.cpp:"));
  CHECK(t.run(part + other_part, {2, 1}, {1, 2}).layout() == Layout::part);
}

}  // namespace
}  // namespace gradus
