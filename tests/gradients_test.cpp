// Reverse mode: the walk itself. Diamonds and long chains, repeated and shared operands, higher orders, what is not
// connected, broadcasts that only the run knows, and the layouts of gradients. (The rules of the ops have their table.)
#include "refusal.h"
#include "thorough.h"

#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <string>
#include <vector>

namespace gradus {
namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Tensor f64(std::initializer_list<Tensor::Literal> values) { return Tensor(values, float64); }

// --- size ------------------------------------------------------------------------------------------------

TEST_CASE("sixty diamonds, one on the other") {
  Graph g;
  const Expr x = g.placeholder("x", {}, float64);
  Expr y = x;
  for (int level = 0; level < 60; ++level) y = 0.5 * y + 0.5 * sin(y);
  const Expr dx = gradients(y, {x})[0];
  const Expr ddx = gradients(dx, {x})[0];
  CHECK(g.size() < 10000);
  Session session(g);
  const auto at = [&](double value) { return session.run(dx, {{x, Tensor(value, float64)}}).item(); };
  CHECK(at(0) == doctest::Approx(1).epsilon(1e-12));
  const double h = 1e-5;
  CHECK(session.run(ddx, {{x, Tensor(0.3, float64)}}).item() ==
        doctest::Approx((at(0.3 + h) - at(0.3 - h)) / (2 * h)).epsilon(1e-6));
}

// Anything that grows with the square of the chain, or calls itself along it, does not come through here.
template <class Link>
void check_long_chain(int links, const Tensor& start, double slope, Link link) {
  const double began = cpu_seconds();
  Graph g;
  const Expr x = g.placeholder("x", start.shape(), float64);
  Expr y = x;
  for (int i = 0; i < links; ++i) y = link(y, i);
  const Expr dx = gradients(reduce_sum(y), {x})[0];
  Session session(g);
  CHECK(session.run(reduce_sum(dx), {{x, start}}).item() ==
        doctest::Approx(slope * static_cast<double>(start.size())).epsilon(1e-9));
  CHECK(cpu_seconds() - began < 60);  // one or two; ten times that under a sanitizer
}

TEST_CASE("a long chain of nodes, every other one a view") {
  check_long_chain(10'000, f64({0.5, 1}), 1, [](const Expr& y, int) { return y + 1e-6; });
  check_long_chain(10'000, f64({0.5, 1}), 1, [](const Expr& y, int) { return identity(y); });
  // dy is multiplied by a cosine on each way down.
  check_long_chain(thorough() ? 100'000 : 20'000, f64({{0.0, 0.0, 0.0}}), 1, [](const Expr& y, int i) {
    return i % 2 == 0 ? sin(y) : reshape(y, {i % 4 == 1 ? 3 : 1, any});
  });
}

TEST_CASE("a node of 20,000 users") {
  Graph g;
  const Expr w = g.variable("w", ones({2}));
  Expr sum = reduce_sum(w);
  for (int i = 0; i < 20'000; ++i) sum = sum + reduce_sum(w);
  Session session(g);
  CHECK(session.run(gradients(sum, {w})[0]) == Tensor({20'001, 20'001}));
}

// --- operands --------------------------------------------------------------------------------------------

TEST_CASE("an operand that occurs more than once") {
  Graph g;
  const Expr x = g.placeholder("x", {2, 2}, float64);
  Session session(g);
  const Tensor value = f64({{1, 2}, {3, 4}});
  const auto slope = [&](const Expr& y) { return session.run(gradients(y, {x})[0], {{x, value}}); };
  CHECK(slope(x * x) == f64({{2, 4}, {6, 8}}));
  CHECK(slope(x * x * x) == f64({{3, 12}, {27, 48}}));
  CHECK(slope(x - x) == f64({{0, 0}, {0, 0}}));
  CHECK(slope(concat({x, 2 * x, x}, 0)) == f64({{4, 4}, {4, 4}}));
  // d sum(X X) / dX[i, j] = sum of row j + sum of column i
  CHECK(slope(matmul(x, x)) == f64({{7, 11}, {9, 13}}));
  CHECK(slope(where(greater(x, 2), x, -x)) == f64({{-1, -1}, {1, 1}}));
}

TEST_CASE("x may be y, be asked twice, or lie between others") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr between = 3 * x;
  const Expr y = square(between);
  Session session(g);
  const auto dy = gradients(y, {y, between, x, x});
  const auto all = session.run(dy, {{x, Tensor({1, 2})}});
  CHECK(all[0] == Tensor({1, 1}));
  CHECK(all[1] == Tensor({6, 12}));
  CHECK(all[2] == Tensor({18, 36}));
  CHECK(all[3] == Tensor({18, 36}));
  CHECK(gradients(y, {}).empty());
}

TEST_CASE("a variable that several parts share") {
  Graph g;
  const Expr w = g.variable("w", Tensor({2, 3}));
  const Expr x = g.placeholder("x", {any, 2});
  const Expr loss = reduce_sum(x * w) + reduce_sum(square(w)) + reduce_sum(matmul(x, reshape(w, {2, 1})));
  Session session(g);
  CHECK(session.run(gradients(loss, {w})[0], {{x, Tensor({{1, 2}, {10, 20}})}}) == Tensor({26, 50}));
}

TEST_CASE("nodes made after y do not matter") {
  Graph g;
  const Expr w = g.variable("w", Tensor({2}));
  const Expr y = reduce_sum(square(w));
  const Expr later = y * w;
  Session session(g);
  CHECK(session.run(gradients(y, {w})[0]).item() == 4);
  CHECK(session.run(gradients(later, {w})[0]).item() == 12);
}

TEST_CASE("only what is asked for is built") {
  Graph g;
  const Expr a = g.placeholder("a", {30, 40}), b = g.placeholder("b", {40, 50});
  const Expr y = reduce_sum(square(matmul(a, b)));
  const int before = g.size();
  gradients(y, {b});
  int products = 0;
  for (NodeId id = before; id < g.size(); ++id) products += g[id].op().name() == "matmul";
  CHECK(products == 1);
}

// --- orders ----------------------------------------------------------------------------------------------

TEST_CASE("derivatives of a polynomial up to the fourth") {
  Graph g;
  const Expr x = g.placeholder("x", {3}, float64);
  Expr y = 2 * pow(x, 4) - x * x * x + 5 * square(x);
  std::vector<Expr> orders{y};
  for (int i = 0; i < 4; ++i) orders.push_back(gradients(orders.back(), {x})[0]);
  Session session(g);
  const auto all = session.run(orders, {{x, f64({-1, 0, 2})}});
  CHECK(allclose(all[1], f64({-8 - 3 - 10, 0, 64 - 12 + 20})));
  CHECK(allclose(all[2], f64({24 + 6 + 10, 10, 96 - 12 + 10})));
  CHECK(allclose(all[3], f64({-48 - 6, -6, 96 - 6})));
  CHECK(allclose(all[4], f64({48, 48, 48})));
}

TEST_CASE("a gradient of a function of a gradient") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, float64);
  const Expr dx = gradients(reduce_sum(pow(x, 3)), {x})[0];  // 3 x^2
  const Expr penalty = reduce_sum(square(dx));               // 9 x^4
  Session session(g);
  CHECK(allclose(session.run(gradients(penalty, {x})[0], {{x, f64({1, 2})}}), f64({36, 288})));
}

// --- what is not connected -------------------------------------------------------------------------------

TEST_CASE("an x on which y does not depend") {
  Graph g;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {any, 2});
  const Expr w = g.variable("w", ones({2}));
  const Expr unused = g.variable("unused", ones({3}));
  const Expr y = reduce_sum(x * w);
  const Expr later = g.variable("later", ones({1}));
  CHECK(refusal([&] {
          gradients(y, {w, unused});
        }) == "gradients: reduce_sum (" + here(line + 4) + ") does not depend on unused (" + here(line + 3) + ")");
  CHECK(refusal([&] { gradients(y, {later}); }) ==
        "gradients: reduce_sum (" + here(line + 4) + ") does not depend on later (" + here(line + 5) + ")");
  const auto dy = gradients(y, {w, unused, later, x}, Unconnected::zero);
  Session session(g);
  const auto all = session.run(dy, {{x, Tensor({{1, 2}})}});
  CHECK(all[0] == Tensor({1, 2}));
  CHECK(all[1] == Tensor({0, 0, 0}));
  CHECK(all[2] == Tensor({0}));
  CHECK(all[3] == Tensor({{1, 1}}));
}

TEST_CASE("what lets no gradient through is named") {
  Graph g;
  const Expr x = g.variable("x", ones({3}));
  const int line = __LINE__;
  const Expr best = cast(argmax(x), float32) + 1;
  const Expr stopped = reduce_sum(stop_gradient(square(x)));
  const Expr compared = reduce_sum(cast(greater(x, 0), float32));
  const Expr shaped = reduce_sum(ones_like(x));
  const auto text = [&](const Expr& y, int of, const std::string& obstacle) {
    return fmt::format("gradients: {} ({}) does not depend on x ({}); {} ({}) lets no gradient through: ", y.name(),
                       here(line + of), here(line - 1), obstacle, here(line + of));
  };
  const auto asked = [&](const Expr& y) { return refusal([&] { gradients(y, {x}); }); };
  CHECK(asked(best) == text(best, 1, "argmax") + "a position is an integer");
  CHECK(asked(stopped) == text(stopped, 2, "stop_gradient") + "it is there to stop it");
  CHECK(asked(compared).starts_with(text(compared, 3, "greater")));
  CHECK(asked(shaped) == text(shaped, 4, "ones_like") + "only its shape is used");
}

TEST_CASE("what gradients are not made of") {
  Graph g, other;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {2});
  const Expr n = g.placeholder("n", {2}, int32);
  const Expr foreign = other.placeholder("foreign", {2});
  CHECK(refusal([&] { gradients(n + 1, {x}); }).ends_with(") is not of a floating dtype"));
  CHECK(refusal([&] { gradients(n, {x}); }) ==
        "gradients: n: int32 [2] (" + here(line + 2) + ") is not of a floating dtype");
  CHECK(refusal([&] { gradients(x, {n}); }) ==
        "gradients: n: int32 [2] (" + here(line + 2) + ") is not of a floating dtype");
  CHECK(refusal([&] { gradients(x, {foreign}); }) == "gradients: x: float32 [2] (" + here(line + 1) +
                                                         ") and foreign: float32 [2] (" + here(line + 3) +
                                                         ") belong to different graphs");
  CHECK(refusal([&] { gradients(Expr(), {x}); }) == "gradients: y is no expression");
  CHECK(refusal([&] { gradients(x, {Expr()}); }) == "gradients: x number 0 is no expression");
}

TEST_CASE("stop_gradient cuts one way and leaves the other") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr y = reduce_sum(x * stop_gradient(x) + stop_gradient(exp(x)));
  Session session(g);
  CHECK(session.run(gradients(y, {x})[0], {{x, Tensor({3, 4})}}) == Tensor({3, 4}));
}

TEST_CASE("an assign lets no gradient through, its variable and value do") {
  Graph g;
  const Expr w = g.variable("w", Tensor({2, 3}));
  const Expr set = g.assign(w, 2 * w);
  CHECK(refusal([&] { gradients(reduce_sum(set), {w}); }).ends_with("an assign acts when the run has ended"));
}

// --- broadcasts ------------------------------------------------------------------------------------------

TEST_CASE("broadcasts that are known when the graph is built") {
  Graph g;
  const Expr a = g.placeholder("a", {2, 1, 3}), b = g.placeholder("b", {4, 1}), c = g.placeholder("c", {}),
             d = g.placeholder("d", {1});
  const auto dy = gradients(reduce_sum(a * b + c - d), {a, b, c, d});
  Session session(g);
  const auto all = session.run(
      dy, {{a, Tensor({{{1, 2, 3}}, {{4, 5, 6}}})}, {b, Tensor({{1}, {2}, {3}, {4}})}, {c, 7}, {d, Tensor({8})}});
  CHECK(all[0] == full({2, 1, 3}, 10));
  CHECK(all[1] == full({4, 1}, 21));
  CHECK(all[2].item() == 24);
  CHECK(all[3] == Tensor({-24}));
}

TEST_CASE("broadcasts that only the run knows: a batch of 1 against n") {
  Graph g;
  const Expr a = g.placeholder("a", {any, 3}), b = g.placeholder("b", {any, 3}), c = g.placeholder("c", {any});
  const Expr y = reduce_sum(a * b + c);
  const auto dy = gradients(y, {a, b, c});
  Session session(g);
  const Tensor one({{1, 2, 3}}), two({{1, 2, 3}, {4, 5, 6}}), c1({7}), c3({7, 8, 9});
  const auto run = [&](const Tensor& x, const Tensor& z, const Tensor& w) {
    return session.run(dy, {{a, x}, {b, z}, {c, w}});
  };
  auto all = run(one, two, c1);
  CHECK(all[0] == Tensor({{5, 7, 9}}));
  CHECK(all[1] == Tensor({{1, 2, 3}, {1, 2, 3}}));
  CHECK(all[2] == Tensor({6}));
  all = run(two, one, c3);
  CHECK(all[0] == Tensor({{1, 2, 3}, {1, 2, 3}}));
  CHECK(all[1] == Tensor({{5, 7, 9}}));
  CHECK(all[2] == Tensor({2, 2, 2}));
  all = run(two, two, c3);
  CHECK(all[0] == two);
  all = run(one, one, c1);
  CHECK(all[0] == one);
  CHECK(all[2] == Tensor({3}));
  all = run(zeros({0, 3}), one, c1);
  CHECK(all[0].shape() == Shape({0, 3}));
  CHECK(all[1] == Tensor({{0, 0, 0}}));
  CHECK(all[2] == Tensor({0}));
}

TEST_CASE("second derivatives through broadcasts that only the run knows") {
  Graph g;
  const Expr a = g.placeholder("a", {any, 2}, float64), b = g.placeholder("b", {any, 2}, float64);
  const Expr da = gradients(reduce_sum(square(a) * b), {a})[0];  // 2 a sum(b)
  const auto dda = gradients(reduce_sum(square(da)), {a, b});    // d 4 a^2 sum(b)^2
  Session session(g);
  const auto all = session.run(dda, {{a, f64({{1, 2}})}, {b, f64({{1, 1}, {2, 3}, {0, 1}})}});
  CHECK(allclose(all[0], f64({{8 * 9, 16 * 25}})));
  CHECK(allclose(all[1], f64({{8 * 3, 32 * 5}, {8 * 3, 32 * 5}, {8 * 3, 32 * 5}})));
}

TEST_CASE("the mean over a batch of unknown size") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 2});
  const Expr w = g.variable("w", Tensor({1, 1}));
  const Expr dw = gradients(reduce_mean(reduce_sum(x * w, 1)), {w})[0];
  Session session(g);
  CHECK(session.run(dw, {{x, Tensor({{1, 2}})}}) == Tensor({1, 2}));
  CHECK(session.run(dw, {{x, Tensor({{1, 2}, {3, 4}})}}) == Tensor({2, 3}));
}

// --- layouts ---------------------------------------------------------------------------------------------

struct Sparse {
  Graph g;
  Expr x = g.sparse_placeholder("x", {any, 4}, float64);
  Tensor value = f64({{1, 0, 2, 0}, {0, 0, 3, 0}}).to_csr();
};

TEST_CASE("the gradient of what a csr product or a gather touches has layout rows") {
  Sparse s;
  const Expr v = s.g.variable("v", ones({4, 2}, float64));
  const Expr row = s.g.variable("row", ones({4}, float64));
  const Expr index = s.g.placeholder("index", {any}, int32);
  const Expr loss = reduce_sum(matmul(s.x, v)) + reduce_sum(s.x * row);
  const auto dy = gradients(loss, {v, row});
  CHECK(dy[0].layout() == Layout::rows);
  CHECK(dy[1].layout() == Layout::rows);
  const Expr gathered = gradients(reduce_sum(gather(v, index)), {v})[0];
  CHECK(gathered.layout() == Layout::rows);
  Session session(s.g);
  const auto all = session.run(dy, {{s.x, s.value}});
  CHECK(all[0].stored() == 4);
  CHECK(all[0].to_dense() == f64({{1, 1}, {0, 0}, {5, 5}, {0, 0}}));
  CHECK(all[1].to_dense() == f64({1, 0, 5, 0}));
  CHECK(session.run(gathered, {{index, Tensor({3, 3}, int32)}}).to_dense() == f64({{0, 0}, {0, 0}, {0, 0}, {2, 2}}));
}

TEST_CASE("gradients of a table used in several ways add up, rows or dense") {
  Sparse s;
  const Expr v = s.g.variable("v", full({4, 2}, 2, float64));
  const Expr index = s.g.constant(Tensor({3, 2}, int32));
  const Expr sparse_only = reduce_sum(matmul(s.x, v)) + reduce_sum(gather(v, index));
  const Expr rows = gradients(sparse_only, {v})[0];
  const Expr dense = gradients(sparse_only + l2_loss(v), {v})[0];
  CHECK(rows.layout() == Layout::rows);
  CHECK(dense.layout() == Layout::dense);
  Session session(s.g);
  const Tensor touched = session.run(rows, {{s.x, s.value}});
  CHECK(touched.stored() == 6);
  CHECK(touched.to_dense() == f64({{1, 1}, {0, 0}, {6, 6}, {1, 1}}));
  CHECK(session.run(dense, {{s.x, s.value}}) == f64({{3, 3}, {2, 2}, {8, 8}, {3, 3}}));
}

TEST_CASE("the gradient of a csr value is csr on its non-zeros") {
  Sparse s;
  const Expr w = s.g.variable("w", f64({1, 2, 3, 4}));
  const Expr b = s.g.variable("b", f64({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  const Expr weighted = w * s.x;  // csr
  const Expr loss = reduce_sum(square(matmul(weighted, b)));
  const auto dy = gradients(loss, {weighted, s.x, w, b});
  CHECK(dy[0].layout() == Layout::csr);
  CHECK(dy[1].layout() == Layout::csr);
  Session session(s.g);
  const auto sparse = session.run(dy, {{s.x, s.value}});

  Graph g;  // the same, dense
  const Expr x2 = g.placeholder("x", {any, 4}, float64);
  const Expr w2 = g.variable("w", f64({1, 2, 3, 4}));
  const Expr b2 = g.variable("b", f64({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  const Expr weighted2 = w2 * x2;
  const auto dy2 = gradients(reduce_sum(square(matmul(weighted2, b2))), {weighted2, x2, w2, b2});
  Session session2(g);
  const auto dense = session2.run(dy2, {{x2, s.value.to_dense()}});
  const Tensor pattern = f64({{1, 0, 1, 0}, {0, 0, 1, 0}});
  for (std::size_t i = 0; i < 2; ++i)
    for (int r = 0; r < 2; ++r)
      for (int c = 0; c < 4; ++c) CHECK(sparse[i].at(r, c) == doctest::Approx(dense[i].at(r, c) * pattern.at(r, c)));
  CHECK(allclose(sparse[2].to_dense(), dense[2]));
  CHECK(allclose(sparse[3].to_dense(), dense[3]));
}

TEST_CASE("gradients of a csr y, and of one with layout rows") {
  Sparse s;
  const Expr squares = square(s.x);
  const Expr table = s.g.variable("table", f64({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  const Expr rows = gradients(reduce_sum(square(gather(table, s.g.constant(Tensor({2, 2, 0}, int32))))), {table})[0];
  REQUIRE(rows.layout() == Layout::rows);  // 2 table, as often as a row is gathered
  const Expr curvature = gradients(rows, {table})[0];
  Session session(s.g);
  CHECK(session.run(gradients(squares, {s.x})[0], {{s.x, s.value}}) == f64({{2, 0, 4, 0}, {0, 0, 6, 0}}).to_csr());
  CHECK(session.run(to_dense(curvature)) == f64({{2, 2}, {0, 0}, {4, 4}, {0, 0}}));
}

TEST_CASE("roots of csr values") {
  Sparse s;
  for (const Expr& y : {sqrt(s.x), pow(s.x, 0.5)}) {
    CAPTURE(y.name());
    const Expr dx = gradients(y, {s.x})[0];
    const Expr ddx = gradients(dx, {s.x})[0];
    Session session(s.g);
    const auto [first, second] = session.run({dx, ddx}, {{s.x, f64({{4, 0, 1, 0}, {0, 0, 16, 0}}).to_csr()}});
    CHECK(first == f64({{0.25, 0, 0.5, 0}, {0, 0, 0.125, 0}}).to_csr());
    CHECK(allclose(second, f64({{-1.0 / 32, 0, -0.25, 0}, {0, 0, -1.0 / 256, 0}}).to_csr()));
  }
}

TEST_CASE("gradients carry the lines of what they differentiate, in a scope of their own") {
  Graph g;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {2});
  const Expr inner = exp(x);
  const Expr y = reduce_sum(square(inner));
  const int before = g.size();
  gradients(y, {x});
  for (NodeId id = before; id < g.size(); ++id) {
    if (g[id].kind() != Kind::constant) CHECK(g[id].name().starts_with("gradients/"));
    CHECK(g[id].where().line >= line + 1);
    CHECK(g[id].where().line <= line + 3);
  }
}

}  // namespace
}  // namespace gradus
