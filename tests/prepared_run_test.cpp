// Prepared runs: the same results as run(), values of other types in between, and what is refused.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>

#include <optional>
#include <vector>

namespace gradus {
namespace {

TEST_CASE("a prepared run trains as run() does, to the bit") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 3});
  const Expr y = g.placeholder("y", {any, 1});
  const Expr w = g.variable("w", zeros({3, 1}));
  const Expr loss = reduce_mean(square(y - matmul(x, w)));
  const Expr train = Adagrad(0.1).minimize(loss);
  Session a(g), b(g);
  const std::vector<Expr> fetches{loss, train};
  auto step = b.prepare(fetches, std::vector<Expr>{x, y});
  for (int i = 0; i < 20; ++i) {
    const std::int64_t n = 1 + i % 3;  // other shapes are other plans
    const Tensor xs = random_normal({n, 3}, {.seed = static_cast<std::uint64_t>(i)});
    const Tensor ys = random_normal({n, 1}, {.seed = static_cast<std::uint64_t>(i + 100)});
    const Tensor run = a.run(fetches, std::vector<Feed>{{x, xs}, {y, ys}})[0];
    CHECK(step(xs, ys) == run);
    CHECK(step.result(0) == run);
  }
  CHECK(a.value(w) == b.value(w));
}

TEST_CASE("a prepared run takes numbers, and csr tensors with and without ones") {
  Graph g;
  const Expr x = g.sparse_placeholder("x", {2, 3});
  const Expr s = g.placeholder("s", {});
  Session session(g);
  auto row_sums = session.prepare(s * reduce_sum(pow(x, 2), 1), {x, s});
  const Tensor ones = Tensor({{1, 0, 1}, {0, 1, 0}}).to_csr();
  const Tensor others = Tensor({{2, 0, 1}, {0, 3, 0}}).to_csr();
  CHECK(ones.ones());
  CHECK_FALSE(others.ones());
  CHECK(row_sums(ones, 2) == Tensor({4, 2}));
  CHECK(row_sums(others, 0.5) == Tensor({2.5, 4.5}));
  CHECK(row_sums(ones, Tensor(1)) == Tensor({2, 1}));
}

TEST_CASE("a prepared run outlives its plan's place among the session's") {
  Graph g;
  const Expr x = g.placeholder("x", {any});
  Session session(g);
  auto twice = session.prepare(2 * x, {x});
  CHECK(twice(Tensor({1, 2})) == Tensor({2, 4}));
  for (std::int64_t n = 3; n < 90; ++n)
    session.run(x + 1, {{x, Tensor::from(std::vector<float>(static_cast<std::size_t>(n)))}});
  CHECK(twice(Tensor({3, 4})) == Tensor({6, 8}));
}

TEST_CASE("what a prepared run refuses") {
  Graph g, other;
  const Expr x = g.placeholder("x", {2});
  const Expr y = g.placeholder("y", {2});
  const Expr z = x + y;
  const Expr both = g.group({x, y});
  Session session(g);
  CHECK(refusal<FeedError>([&] {
          session.prepare(z, {x, both});
        }) ==
        "prepare: group: float32 [0] (prepared_run_test.cpp:70) is fed, but it is there to be run; a placeholder or "
        "a value is expected");
  CHECK(refusal<FeedError>([&] { session.prepare(z, {x, x}); }) == "prepare: x is named twice");
  CHECK(refusal<FeedError>([&] { session.prepare(std::vector<Expr>{}, std::vector<Expr>{x}); }) ==
        "prepare: there is nothing to fetch");
  const std::string foreign = refusal<FeedError>([&] { session.prepare(z, {other.placeholder("q", {2})}); });
  CHECK(foreign == "prepare: q: float32 [2] (prepared_run_test.cpp:80) does not belong to the session's graph");
  auto sum = session.prepare(z, {x, y});
  CHECK(refusal<ValueError>([&] { sum.result(0); }) ==
        "a prepared run of 1 fetch has no result 0 before its first call");
  CHECK(refusal<FeedError>([&] { sum(Tensor({1, 2})); }) == "a prepared run takes 2 values (x, y) but was given 1");
  CHECK(refusal<FeedError>([&] {
          sum(Tensor({1, 2}), Tensor({1, 2, 3}));
        }) == "run: the placeholder y (prepared_run_test.cpp:68) is float32 [2] but was fed float32 [3]");
  CHECK(sum(Tensor({1, 2}), Tensor({3, 4})) == Tensor({4, 6}));
  CHECK(refusal<ValueError>([&] { sum.result(1); }) == "a prepared run of 1 fetch has no result 1");
  auto half = session.prepare(z, {x});
  CHECK(refusal<FeedError>([&] {
          half(Tensor({1, 2}));
        }) == "run: the placeholder y (prepared_run_test.cpp:68) needs a value: float32 [2]");
}

}  // namespace
}  // namespace gradus
