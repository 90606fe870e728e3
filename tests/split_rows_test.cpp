// split_rows on csr and on dense rows: the same numbers, the pattern that is promised, its gradients by the matrix, and
// what it refuses. That it is right is in the op table.
#include "refusal.h"

#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <vector>

namespace gradus {

TEST_CASE("split_rows of csr is that of dense, with just the non-zeros that have a group") {
  const Tensor x({{0, 2, 3, 0, 5}, {0, 0, 0, 0, 0}, {1, 0, 4, -1, 0}}, float64);
  const std::vector<Index> group{2, 0, -1, 0, 2};
  const Tensor right({{0, 2, 0, 0, 0},
                      {0, 0, 0, 0, 0},
                      {0, 0, 0, 0, 5},
                      {0, 0, 0, 0, 0},
                      {0, 0, 0, 0, 0},
                      {0, 0, 0, 0, 0},
                      {0, 0, 0, -1, 0},
                      {0, 0, 0, 0, 0},
                      {1, 0, 0, 0, 0}},
                     float64);
  for (const bool csr : {false, true}) {
    Graph g;
    const Expr X = csr ? g.sparse_placeholder("X", {any, 5}, float64) : g.placeholder("X", {any, 5}, float64);
    const Expr V = g.variable("V", random_normal({5, 2}, {.seed = 3, .dtype = float64}));
    const Expr split = split_rows(X, group, 3);
    CHECK(split.shape() == Shape{any, 5});
    CHECK(split.layout() == X.layout());
    Session session(g);
    const Tensor fed = csr ? x.to_csr() : x;
    const Tensor y = session.run(split, {{X, fed}});
    CHECK(y.to_dense() == right);
    if (csr) {
      CHECK(y.stored() == 4);
      CHECK_NOTHROW(y.pattern()->check());
    }
    // Products of it, by V and by X, and the gradient of the gradient.
    const std::vector<Expr> variables{V};
    const Expr loss = reduce_sum(square(matmul(split, V)));
    const GradientCheck by_V = check_gradients(session, loss, variables, {{X, fed}});
    CHECK_MESSAGE(by_V.ok, by_V.report);
    const Expr by_X = gradients(loss, {X})[0];
    const Tensor slope = session.run(to_dense(by_X), {{X, fed}});
    const GradientCheck second = check_gradients(session, reduce_sum(square(by_X)), variables, {{X, fed}});
    CHECK_MESSAGE(second.ok, second.report);
    for (const std::int64_t place : {1, 2, 10, 13}) {  // 5 row + column
      const double h = 1e-6;
      const auto at = [&](double step) {
        const Tensor moved = Tensor::make<double>({3, 5}, [&](std::span<double> to) {
          std::copy(x.span<double>().begin(), x.span<double>().end(), to.begin());
          to[static_cast<std::size_t>(place)] += step;
        });
        return session.run(loss, {{X, csr ? moved.to_csr() : moved}}).item();
      };
      CHECK(slope.at(place / 5, place % 5) == doctest::Approx((at(h) - at(-h)) / (2 * h)).epsilon(1e-6));
    }
  }
}

TEST_CASE("rows of ones stay so") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 3});
  const Tensor x = Tensor({{1, 1, 0}, {0, 1, 1}}).to_csr();
  const Tensor y = Session(g).run(split_rows(X, {0, 1, 1}, 2), {{X, x}});
  CHECK(y.to_dense() == Tensor({{1, 0, 0}, {0, 1, 0}, {0, 0, 0}, {0, 1, 1}}));
}

TEST_CASE("what split_rows refuses") {
  Graph g;
  // clang-format off
  const Expr X = g.sparse_placeholder("X", {any, 3}); const int line = __LINE__;
  const Expr v = g.placeholder("v", {3});
  const Expr n = g.placeholder("n", {2, 3}, int64);
  const Expr many = g.sparse_placeholder("many", {2000000000, 3});
  // clang-format on
  const auto at = [&](std::string_view shape, std::string_view name, int after) {
    return fmt::format("{} ({}, split_rows_test.cpp:{})", shape, name, line + after);
  };
  CHECK(refusal<TypeError>([&] {
          split_rows(v, {0, 0, 0}, 1);
        }) == "split_rows: x is " + at("[3]", "v", 1) + "; a matrix is expected");
  CHECK(refusal<TypeError>([&] {
          split_rows(n, {0, 0, 0}, 1);
        }) == "split_rows: x is " + at("int64", "n", 2) + "; float32 or float64 is expected");
  CHECK(refusal<TypeError>([&] {
          split_rows(X, {0, 0}, 1);
        }) == "split_rows: x is " + at("[?, 3]", "X", 0) + " but 2 columns have a group");
  CHECK(refusal<ValueError>([&] {
          split_rows(X, {0, 0, 0}, 0);
        }) == "split_rows: there are 0 groups; 1 to 2147483647 are expected");
  CHECK(refusal<ValueError>([&] {
          split_rows(X, {0, 2, 0}, 2);
        }) == "split_rows: the group of column 1 is 2; -1 to 1 are expected");
  CHECK(refusal<TypeError>([&] {
          split_rows(many, {0, 0, 0}, 2);
        }) == "split_rows: x is " + at("[2000000000, 3]", "many", 3) +
                  "; with 2 groups it would have more than 2147483647 rows");
}

}  // namespace gradus
