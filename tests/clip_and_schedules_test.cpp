// Clipping by norm, of dense gradients and of rows, and the learning rates that follow a step.
#include "refusal.h"
#include "special_values.h"

#include <gradus/core/error.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

namespace gradus {
namespace {

/// What f gives for a tensor, fed.
Tensor result(const std::function<Expr(const Expr&)>& f, const Tensor& value) {
  Graph g;
  const Expr x = g.placeholder("x", value.shape(), value.dtype());
  const Expr y = f(x);
  return Session(g).run(y, {{x, value}});
}

/// A table and the gradient, of layout rows, of a loss that uses rows 1 and 3 of it.
struct Table {
  Graph g;
  Expr table = g.variable("table", Tensor({{1, 2}, {3, -4}, {5, 6}, {0, 12}}));
  Expr rows = gradients(0.5 * reduce_sum(square(gather(table, g.constant(Tensor({3, 1, 3}, int32))))), {table})[0];
  // rows 1 and 3 of the table, row 3 twice: {3, -4}, {0, 24}
};

// --- clipping ------------------------------------------------------------------------------------------

TEST_CASE("clip_by_norm") {
  const Tensor x({{3, 0}, {0, 4}});
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 2.5); }, x) == Tensor({{1.5, 0}, {0, 2}}));
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 5); }, x) == x);
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 0.1 + 0.2 + 1e6); }, x) == x);
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 2, 1); }, x) == Tensor({{2, 0}, {0, 2}}));
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 1); }, zeros({3})) == zeros({3}));
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 1); }, zeros({0})) == zeros({0}));
  CHECK(result([](const Expr& e) { return clip_by_norm(e, 2); }, Tensor(-8.0)) == Tensor(-2.0));
  CHECK(std::isnan(result([](const Expr& e) { return clip_by_norm(e, 2); }, Tensor({1, not_a_number})).at(0)));
  const auto by_expression = [](const Expr& e) { return clip_by_norm(e, cast(e.graph().constant(2.5), float64)); };
  CHECK(result(by_expression, x) == Tensor({{1.5, 0}, {0, 2}}));
  // The derivative where nothing is to be clipped is 1, at 0 too.
  const auto slope = [](const Expr& e) { return gradients(reduce_sum(clip_by_norm(e, 1)), {e})[0]; };
  CHECK(result(slope, zeros({2})) == ones({2}));
}

TEST_CASE("global_norm and clip_by_global_norm") {
  Graph g;
  const Expr a = g.placeholder("a", {2}), b = g.placeholder("b", {2, 1}, float64);
  const ClippedByGlobalNorm made = clip_by_global_norm(std::vector{a, b}, 6.5);
  const std::vector<Expr>& clipped = made.clipped;
  const Expr length = made.global_norm;
  REQUIRE(clipped.size() == 2);
  CHECK(clipped[0].dtype() == float32);
  CHECK(clipped[1].dtype() == float64);
  CHECK(length.dtype() == float64);
  Session session(g);
  const auto run = [&](const Tensor& x, const Tensor& y) {
    return session.run({clipped[0], clipped[1], length}, {{a, x}, {b, y}});
  };
  const auto [half_a, half_b, norm] = run(Tensor({3, 4}), Tensor({{12}, {0}}, float64));
  CHECK(half_a == Tensor({1.5, 2}));
  CHECK(half_b == Tensor({{6}, {0}}, float64));
  CHECK(norm.item() == 13);
  const auto [same_a, same_b, short_norm] = run(Tensor({3, 4}), Tensor({{0.1}, {0.3}}, float64));
  CHECK(same_a == Tensor({3, 4}));
  CHECK(same_b == Tensor({{0.1}, {0.3}}, float64));
  CHECK(short_norm.item() == doctest::Approx(std::sqrt(25.1)));
  const auto [nan_a, nan_b, no_norm] = run(Tensor({3, 4}), Tensor({{infinity}, {0}}, float64));
  CHECK(std::isnan(nan_a.at(0)));
  CHECK(std::isnan(nan_b.at(1, 0)));
  CHECK(no_norm.item() == infinity);
}

TEST_CASE("rows stay rows when clipped, and are not written out for their norm") {
  Table t;
  REQUIRE(t.rows.layout() == Layout::rows);
  const Expr by_norm = clip_by_norm(t.rows, 2.5);
  const auto [clipped, length] = clip_by_global_norm(std::vector{t.rows, t.g.constant(Tensor({3.0, 0}))}, 1);
  CHECK(by_norm.layout() == Layout::rows);
  CHECK(clipped[0].layout() == Layout::rows);
  Session session(t.g);
  const double n = std::sqrt(25 + 24 * 24.0);
  const Tensor right = Tensor({{0, 0}, {3 * 2.5 / n, -4 * 2.5 / n}, {0, 0}, {0, 24 * 2.5 / n}});
  CHECK(allclose(session.run(by_norm).to_dense(), right));
  CHECK(session.run(by_norm).index()->row == std::vector<Index>{1, 3});
  CHECK(session.run(length).item() == doctest::Approx(std::sqrt(25 + 24 * 24 + 9.0)));
  CHECK(session.explain(by_norm).find("to_dense") == std::string::npos);
  CHECK(session.explain(clipped[0]).find("to_dense") == std::string::npos);

  const Expr train = GradientDescent(1).apply_gradients(std::vector<GradientOf>{{by_norm, t.table}});
  session.run(train);
  CHECK(session.value(t.table).at(0, 0) == 1);
  CHECK(session.value(t.table).at(1, 0) == doctest::Approx(3 - 3 * 2.5 / n));
}

TEST_CASE("sums and means of rows over all axes") {
  Table t;
  const Expr dense = to_dense(t.rows);
  Session session(t.g);
  for (const KeepDims keep : {KeepDims::no, keep_dims}) {
    CHECK(session.run(reduce_sum(t.rows, {}, keep)) == session.run(reduce_sum(dense, {}, keep)));
    CHECK(session.run(reduce_mean(t.rows, {0, 1}, keep)) == session.run(reduce_mean(dense, {0, 1}, keep)));
    CHECK(session.run(reduce_sum(t.rows, 1, keep)) == session.run(reduce_sum(dense, 1, keep)));
    CHECK(session.run(reduce_max(t.rows, {}, keep)) == session.run(reduce_max(dense, {}, keep)));
  }
  CHECK(session.run(norm(t.rows)) == session.run(norm(dense)));
  CHECK(session.explain(reduce_sum(t.rows)).find("to_dense") == std::string::npos);
  // The derivative of a sum of squares of a gradient.
  const Expr slope = gradients(reduce_sum(square(t.rows)), {t.table})[0];
  const Expr through_dense = gradients(reduce_sum(square(dense)), {t.table})[0];
  CHECK(session.run(to_dense(slope)) == session.run(to_dense(through_dense)));
}

TEST_CASE("norms and lists that do not fit") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr x = g.placeholder("x", {2});
  const Expr n = g.placeholder("n", {2}, int32);
  const std::string at_x = here(line), at_n = here(line + 1);
  CHECK(refusal<ValueError>([&] { clip_by_norm(x, -1); }) == "clip_by_norm: norm is -1; a number above 0 is expected");
  CHECK(refusal<ValueError>([&] { clip_by_norm(x, not_a_number); }) ==
        "clip_by_norm: norm is nan; a number above 0 is expected");
  CHECK(refusal<ValueError>([&] { clip_by_global_norm(std::vector{x}, 0); }) ==
        "clip_by_global_norm: norm is 0; a number above 0 is expected");
  CHECK(refusal<TypeError>([&] { clip_by_norm(x, x); }) ==
        fmt::format("clip_by_norm: norm is x: float32 [2] ({}); a floating scalar is expected", at_x));
  CHECK(refusal<TypeError>([&] { clip_by_norm(n, 1); }) ==
        fmt::format("clip_by_norm: n: int32 [2] ({}) has no norm; float32 or float64 is expected", at_n));
  CHECK(refusal<TypeError>([&] { global_norm({}); }) == "global_norm: the list is empty");
  CHECK(refusal<TypeError>([&] {
          global_norm(std::vector{x, Expr()});
        }) == "global_norm: no expression has no norm; float32 or float64 is expected");
}

// --- schedules -----------------------------------------------------------------------------------------

/// The rates at these steps.
std::vector<double> rates(const std::function<Expr(const Expr& step)>& schedule, std::vector<std::int64_t> steps) {
  Graph g;
  const Expr step = g.placeholder("step", {}, int64);
  const Expr rate = schedule(step);
  CHECK(to_string(rate.type()) == "float64 []");
  Session session(g);
  std::vector<double> all;
  for (const std::int64_t s : steps)
    all.push_back(session.run(rate, {{step, Tensor(static_cast<double>(s), int64)}}).item());
  return all;
}

void check_near(const std::vector<double>& got, const std::vector<double>& right) {
  REQUIRE(got.size() == right.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(right[i]).epsilon(1e-14));
}

TEST_CASE("exponential_decay") {
  const auto smooth = [](const Expr& step) { return exponential_decay(0.1, step, 4, 0.5); };
  check_near(rates(smooth, {0, 2, 4, 6, 40}),
             {0.1, 0.1 * std::sqrt(0.5), 0.05, 0.05 * std::sqrt(0.5), 0.1 * std::pow(0.5, 10)});
  const auto stairs = [](const Expr& step) { return exponential_decay(0.1, step, 4, 0.5, {.staircase = true}); };
  check_near(rates(stairs, {0, 3, 4, 7, 8}), {0.1, 0.1, 0.05, 0.05, 0.025});
}

TEST_CASE("cosine_decay") {
  const auto to_zero = [](const Expr& step) { return cosine_decay(0.1, step, 8); };
  check_near(rates(to_zero, {0, 4, 2}), {0.1, 0.05, 0.05 * (1 + std::cos(std::numbers::pi / 4))});
  for (const double rate : rates(to_zero, {8, 9, 1000})) CHECK(std::abs(rate) < 1e-17);
  const auto to_alpha = [](const Expr& step) { return cosine_decay(0.1, step, 8, 0.25); };
  check_near(rates(to_alpha, {0, 4, 8, 20}), {0.1, 0.1 * (0.75 * 0.5 + 0.25), 0.025, 0.025});
}

TEST_CASE("piecewise_constant") {
  const auto schedule = [](const Expr& step) { return piecewise_constant(step, {10, 20}, {1, 0.5, 0.1}); };
  CHECK(rates(schedule, {0, 10, 11, 20, 21, 1000}) == std::vector<double>{1, 1, 0.5, 0.5, 0.1, 0.1});
  const auto constant = [](const Expr& step) { return piecewise_constant(step, {}, {0.25}); };
  CHECK(rates(constant, {0, 5}) == std::vector<double>{0.25, 0.25});
}

TEST_CASE("a schedule of a schedule, and of a floating step") {
  Graph g;
  const Expr step = g.placeholder("step", {});
  const Expr base = g.placeholder("base", {});
  const Expr rate = cosine_decay(exponential_decay(base, step, 2, 0.25), step, 4);
  CHECK(Session(g).run(rate, {{step, 2.0}, {base, 0.5}}).item() == doctest::Approx(0.5 * 0.25 * 0.5));
}

TEST_CASE("schedules that do not fit") {
  const auto said = [](auto f) { return refusal<ValueError>(f); };
  Graph g;
  const int line = __LINE__ + 1;
  const Expr step = g.variable("step", zeros({}, int64), {.trainable = false});
  const Expr two = g.placeholder("two", {2});
  CHECK(said([&] { exponential_decay(0.1, step, 0, 0.5); }) ==
        "exponential_decay: decay_steps is 0; a number above 0 is expected");
  CHECK(said([&] { exponential_decay(0.1, step, 10, -0.5); }) ==
        "exponential_decay: decay_rate is -0.5; a number above 0 is expected");
  CHECK(said([&] { exponential_decay(-0.1, step, 10, 0.5); }) ==
        "exponential_decay: the learning rate is -0.1; a number of at least 0 is expected");
  CHECK(said([&] { cosine_decay(0.1, step, not_a_number); }) ==
        "cosine_decay: decay_steps is nan; a number above 0 is expected");
  CHECK(said([&] { cosine_decay(0.1, step, 10, 1.5); }) ==
        "cosine_decay: alpha is 1.5; a number in [0, 1] is expected");
  CHECK(said([&] {
          piecewise_constant(step, {1, 2}, {1, 2});
        }) == "piecewise_constant: there are 2 boundaries and 2 values; one value more than boundaries is expected");
  CHECK(said([&] {
          piecewise_constant(step, {1, 1}, {1, 2, 3});
        }) == "piecewise_constant: boundaries are [1, 1]; each must be above the one before");
  CHECK(said([&] {
          piecewise_constant(step, {not_a_number}, {1, 2});
        }) == "piecewise_constant: boundaries are [nan]; each must be above the one before");
  CHECK(said([&] {
          piecewise_constant(step, {1}, {1, -2});
        }) == "piecewise_constant: values are [1, -2]; numbers of at least 0 are expected");
  CHECK(refusal<TypeError>([&] { cosine_decay(0.1, two, 10); }) ==
        fmt::format("cosine_decay: the step is two: float32 [2] ({}); a scalar number is expected, as "
                    "MinimizeOptions.step counts",
                    here(line + 1)));
  CHECK(
      refusal<TypeError>([&] { cosine_decay(step, step, 10); }) ==
      fmt::format("cosine_decay: the learning rate is step: int64 [] ({}); a floating scalar is expected", here(line)));
  const int number_line = __LINE__ + 1;
  const std::string no_node = refusal<TypeError>([&] { cosine_decay(0.1, 3, 10); });
  CHECK(no_node ==
        fmt::format("cosine_decay: step ({}) is a number or a tensor of no graph; graph.constant(step) makes it a node",
                    here(number_line)));
}

}  // namespace
}  // namespace gradus
