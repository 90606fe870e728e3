// Products of dense matrices that a plan makes fewer of, or smaller ones, and those that it leaves as they are.
#include <gradus/core/run/reference.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gradus {
namespace {

struct Products {
  Graph g;
  Expr a = g.placeholder("a", {12, 12}, float64), b = g.placeholder("b", {12, 12}, float64);
  Expr x = g.placeholder("x", {12, 9}, float64), many = g.placeholder("many", {30, 12, 9}, float64);
  Expr c = g.placeholder("c", {30, 1, 1}, float64);
  std::vector<Feed> feeds;

  Products() {
    std::uint64_t seed = 0;
    for (const Expr& e : {a, b, x, many, c})
      feeds.push_back({e, random_normal(e.shape(), {.seed = ++seed, .dtype = float64}).draw(0)});
  }

  // The steps of y's plan that are products, in their order.
  std::vector<std::string> products(const Expr& y) {
    Session session(g);
    CHECK(allclose(session.run(y, feeds), Reference().run(y, feeds), 1e-12, 1e-12));
    const PlanSteps plan = session.steps(y, feeds);
    std::vector<std::string> found;
    for (int id = 0; id < static_cast<int>(plan.list.size()); ++id)
      if (const std::string step = formula(plan, id); step.find("= matmul(") != std::string::npos)
        found.push_back(step);
    return found;
  }
};

TEST_CASE("a matrix and its transpose, times the same matrix, are one product") {
  Products p;
  const auto turned = [&](const Expr& left, const Expr& right) { return matmul(left, right, {.transpose_a = true}); };
  CHECK(p.products(matmul(p.a, p.x) + turned(p.a, p.x)).size() == 1);
  CHECK(p.products(-0.5 * matmul(p.a, p.x) - turned(p.a, p.x) * 0.5).size() == 1);
  CHECK(p.products(turned(p.x, p.a) + matmul(p.x, p.a, {.transpose_a = true, .transpose_b = true})).size() == 1);
  CHECK(p.products(gradients(reduce_sum(p.b * matmul(p.x, p.x, {.transpose_b = true})), {p.x})[0]).size() == 1);
  CHECK(p.products(gradients(reduce_sum(p.b * matmul(p.many, p.many, {.transpose_b = true})), {p.many})[0]).size() ==
        1);
  // Differences may be of large numbers, and so may sums of others.
  CHECK(p.products(matmul(p.a, p.x) - turned(p.a, p.x)).size() == 2);
  CHECK(p.products(matmul(p.a, p.x) + turned(p.b, p.x)).size() == 2);
  // To add [12, 12] for one column is no gain.
  const Expr column = slice(p.x, {0, 0}, {12, 1});
  CHECK(p.products(matmul(p.a, column) + turned(p.a, column)).size() == 2);
  // What is read besides must be there.
  const Expr read = turned(p.a, p.x);
  CHECK(p.products(matmul(p.a, p.x) + read + square(read)).size() == 2);
}

TEST_CASE("a number for each matrix of a batch multiplies the smaller product") {
  Products p;
  const auto factors = [&](const Expr& y) {
    const std::vector<std::string> found = p.products(y);
    REQUIRE(found.size() == 1);
    return found[0];
  };
  CHECK(factors(matmul(p.c * p.a, p.many)).find("(%0 a, ") != std::string::npos);
  CHECK(factors(matmul(p.c * p.a, p.x)).find("(%0 a, ") != std::string::npos);
  CHECK(factors(matmul(p.c * p.x, p.many, {.transpose_b = true})).find("x, ") == std::string::npos);  // [30, 12, 12]
  CHECK(factors(matmul(p.c * p.many, p.x, {.transpose_a = true})).find("many, ") == std::string::npos);
}

TEST_CASE("a region does not wait for a small matrix that is computed beside it") {
  // Field-weighted pairs: the gradient by v multiplies it by R + R^T, which no step of the region computes.
  constexpr std::int64_t n = 600, fields = 12, k = 9;
  Graph g;
  const Expr v = g.variable("v", random_normal({n, fields, k}, {.seed = 1}));
  const Expr r = g.variable("R", random_normal({fields, fields}, {.seed = 2}));
  const Expr y = reduce_sum(matmul(v, v, {.transpose_b = true}) * square(r), {1, 2});
  const std::vector<Expr> by = gradients(reduce_mean(square(1 - y)), {v, r});
  Session session(g);
  const PlanSteps plan = session.steps(reduce_sum(square(by[0])) + reduce_sum(by[1]), {});
  CHECK(std::ranges::count_if(plan.groups, [](const StepGroup& group) { return group.rows > 0; }) == 1);
}

}  // namespace
}  // namespace gradus
