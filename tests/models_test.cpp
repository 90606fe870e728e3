// The models against their formulas written as the double sums they stand for, their gradients against differences, the
// penalties, and the exact text of what they refuse.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/linear.h>
#include <gradus/models/metrics.h>
#include <gradus/models/polynomial.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace gradus {
namespace {

constexpr std::int64_t n = 6, p = 5, k = 3;

// Some zeros, so that csr leaves something out; one row of nothing else.
Tensor some_x() {
  return Tensor(
      {{1, 0, 0, 0.5, 0}, {0, 2, 0, 0, -1}, {0, 0, 0, 0, 0}, {0.3, 0, 1.5, 0, 0.7}, {1, 1, 1, 1, 1}, {0, 0, -2, 0, 0}},
      float64);
}
Tensor some_y() { return Tensor({{1}, {-1}, {1}, {1}, {-1}, {-1}}, float64); }
Tensor some(const Shape& shape, std::uint64_t seed) {
  return random_normal(shape, {.stddev = 0.5, .seed = seed, .dtype = float64});
}

// A model of the same kind in a session, its variables moved away from zero.
template <class Model, class Options>
struct Case {
  Case(bool csr, const Options& options)
      : X(csr ? g.sparse_placeholder("X", {any, p}, float64) : g.placeholder("X", {n, p}, float64)),
        y(g.placeholder("y", {any, 1}, float64)),
        model(X, y, options),
        session(g),
        feeds{{X, csr ? some_x().to_csr() : some_x()}, {y, some_y()}} {
    std::uint64_t seed = 1;
    for (const Expr& variable : g.trainable_variables()) session.assign(variable, some(variable.shape(), seed++));
  }

  Tensor run(const Expr& fetch) { return session.run(fetch, feeds); }

  Graph g;
  Expr X;
  Expr y;
  Model model;
  Session session;
  std::vector<Feed> feeds;
};
using FmCase = Case<FactorizationMachine, FactorizationMachineOptions>;
using PolynomialCase = Case<PolynomialRegression, PolynomialRegressionOptions>;
using LinearCase = Case<LinearRegression, LinearRegressionOptions>;

// w0 + sum_i w_i x_i + sum_{i<j} pair(i, j) x_i x_j for each row.
template <class Pair>
std::vector<double> naive(const Tensor& w0, const Tensor& W, Pair pair) {
  const Tensor x = some_x();
  std::vector<double> out;
  for (std::int64_t row = 0; row < n; ++row) {
    double sum = w0.at(0);
    for (std::int64_t i = 0; i < p; ++i) {
      sum += W.at(i) * x.at(row, i);
      for (std::int64_t j = i + 1; j < p; ++j) sum += pair(i, j) * x.at(row, i) * x.at(row, j);
    }
    out.push_back(sum);
  }
  return out;
}

double inner(const Tensor& V, std::int64_t i, std::int64_t j) {
  double sum = 0;
  for (std::int64_t f = 0; f < k; ++f) sum += V.at(i, f) * V.at(j, f);
  return sum;
}

double sum_of_squares(const Tensor& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return sum;
}

void check_close(const Tensor& got, const std::vector<double>& right) {
  CHECK(got.shape() == Shape{n, 1});
  CHECK(allclose(got, Tensor::from(right, {n, 1}), 1e-12, 1e-12));
}

}  // namespace

TEST_CASE("FactorizationMachine is the sum over pairs") {
  for (const bool csr : {false, true}) {
    CAPTURE(csr);
    FmCase c(csr, {.factors = k});
    const Tensor V = c.session.value(c.model.V);
    const auto pairs = [&](std::int64_t i, std::int64_t j) { return inner(V, i, j); };
    const Tensor w0 = c.session.value(c.model.w0), W = c.session.value(c.model.W);
    check_close(c.run(c.model.y_hat), naive(w0, W, pairs));
    check_close(c.run(c.model.prediction), naive(w0, W, pairs));
    check_close(c.run(c.model.interactions), naive(zeros({1}), zeros({p}), pairs));
    check_close(c.run(c.model.linear_terms), naive(w0, W, [](auto, auto) { return 0.0; }));
    CHECK(c.run(c.model.error).item() == doctest::Approx(mse(some_y(), c.run(c.model.y_hat))).epsilon(1e-12));
    CHECK(c.run(c.model.penalty).item() == 0);
    CHECK(c.run(c.model.loss).item() == c.run(c.model.error).item());
  }
}

TEST_CASE("PolynomialRegression is the sum over pairs, each with its weight") {
  for (const bool csr : {false, true}) {
    CAPTURE(csr);
    PolynomialCase c(csr, {});
    const Tensor W2 = c.session.value(c.model.W2);
    check_close(c.run(c.model.y_hat), naive(c.session.value(c.model.w0), c.session.value(c.model.W),
                                            [&](std::int64_t i, std::int64_t j) { return W2.at(i, j); }));
  }
}

TEST_CASE("LinearRegression is the sum over features") {
  for (const bool csr : {false, true}) {
    LinearCase c(csr, {});
    check_close(c.run(c.model.y_hat),
                naive(c.session.value(c.model.w0), c.session.value(c.model.W), [](auto, auto) { return 0.0; }));
  }
}

TEST_CASE("gradients of the models are central differences") {
  for (const bool csr : {false, true}) {
    for (const Task task : {Task::regression, Task::binary}) {
      CAPTURE(csr);
      const auto check = [](auto&& c) {
        const std::vector<Expr> variables = c.g.trainable_variables();
        const GradientCheck result = check_gradients(c.session, c.model.loss, variables, c.feeds);
        CHECK_MESSAGE(result.ok, result.report);
      };
      check(FmCase(csr, {.factors = k, .task = task, .l2_w0 = 0.1, .l2_W = 0.2, .l2_V = 0.3}));
      check(FmCase(csr, {.factors = k, .task = task}));
      check(FmCase(csr,
                   {.factors = 2, .l2_groups = {.group = {0, 1, 1, 0, 1}, .W = {0.5, 0.25}, .V = {{1, 2}, {3, 4}}}}));
      check(PolynomialCase(csr, {.task = task, .l2_w0 = 0.1, .l2_W = 0.2, .l2_W2 = 0.3}));
      check(LinearCase(csr, {.task = task, .l2_w0 = 0.1, .l2_W = 0.2}));
    }
  }
}

TEST_CASE("a csr X gives V's gradient layout rows, unless a penalty reaches all rows") {
  FmCase free(true, {.factors = k});
  CHECK(gradients(free.model.loss, {free.model.V})[0].layout() == Layout::rows);
  FmCase held(true, {.factors = k, .l2_V = 0.1});
  CHECK(gradients(held.model.loss, {held.model.V})[0].layout() == Layout::dense);
}

TEST_CASE("penalties of w0, W and V, each with its lambda") {
  FmCase c(false, {.factors = k, .l2_w0 = 0.5, .l2_W = 0.25, .l2_V = 2});
  const double right = 0.5 * sum_of_squares(c.session.value(c.model.w0)) +
                       0.25 * sum_of_squares(c.session.value(c.model.W)) +
                       2 * sum_of_squares(c.session.value(c.model.V));
  CHECK(c.run(c.model.penalty).item() == doctest::Approx(right).epsilon(1e-12));
  CHECK(c.run(c.model.loss).item() == doctest::Approx(c.run(c.model.error).item() + right).epsilon(1e-12));
}

TEST_CASE("penalties per group of features and per factor") {
  const std::vector<std::int64_t> group{2, 0, 0, 1, 2};
  const std::vector<double> of_W{0.1, 0.2, 0.4};
  const auto value = [](FmCase& c, auto lambda_W, auto lambda_V) {
    const Tensor W = c.session.value(c.model.W), V = c.session.value(c.model.V);
    double sum = 0;
    for (std::int64_t i = 0; i < p; ++i) {
      sum += lambda_W(i) * W.at(i) * W.at(i);
      for (std::int64_t f = 0; f < k; ++f) sum += lambda_V(i, f) * V.at(i, f) * V.at(i, f);
    }
    return doctest::Approx(sum).epsilon(1e-12);
  };
  const auto g = [&](std::int64_t i) { return static_cast<std::size_t>(group[static_cast<std::size_t>(i)]); };
  const auto u = [](std::int64_t f) { return static_cast<std::size_t>(f); };

  SUBCASE("each group, each factor") {
    const std::vector<std::vector<double>> of_V{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
    FmCase c(false, {.factors = k, .l2_groups = {.group = group, .W = of_W, .V = of_V}});
    CHECK(c.run(c.model.penalty).item() ==
          value(
              c, [&](auto i) { return of_W[g(i)]; }, [&](auto i, auto f) { return of_V[g(i)][u(f)]; }));
  }
  SUBCASE("each group, all factors alike; one lambda for W") {
    const std::vector<std::vector<double>> of_V{{1}, {4}, {7}};
    FmCase c(true, {.factors = k, .l2_W = 0.5, .l2_groups = {.group = group, .V = of_V}});
    CHECK(c.run(c.model.penalty).item() ==
          value(
              c, [](auto) { return 0.5; }, [&](auto i, auto) { return of_V[g(i)][0]; }));
  }
  SUBCASE("each factor, no groups") {
    const std::vector<std::vector<double>> of_V{{1, 2, 3}};
    FmCase c(true, {.factors = k, .l2_groups = {.V = of_V}});
    CHECK(c.run(c.model.penalty).item() ==
          value(
              c, [](auto) { return 0.0; }, [&](auto, auto f) { return of_V[0][u(f)]; }));
  }
}

TEST_CASE("binary tasks: -ln sigma(y_hat y), without overflow, and probabilities") {
  FmCase c(true, {.factors = k, .task = Task::binary});
  const Tensor y_hat = c.run(c.model.y_hat), probability = c.run(c.model.prediction);
  double right = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double sigma = 1 / (1 + std::exp(-y_hat.at(i, 0)));
    CHECK(probability.at(i, 0) == doctest::Approx(sigma).epsilon(1e-12));
    right -= std::log(1 / (1 + std::exp(-y_hat.at(i, 0) * some_y().at(i, 0))));
  }
  CHECK(c.run(c.model.error).item() == doctest::Approx(right / n).epsilon(1e-12));
  CHECK(log_loss(some_y(), probability) == doctest::Approx(right / n).epsilon(1e-12));

  c.session.assign(c.model.w0, Tensor({1000}, float64));  // exp(1000) is infinite
  CHECK(c.run(c.model.error).item() == doctest::Approx(500).epsilon(0.01));
}

TEST_CASE("a binary task learns XOR, which a linear model cannot") {
  const Tensor x_data({{1, 0, 1, 0}, {1, 0, 0, 1}, {0, 1, 1, 0}, {0, 1, 0, 1}}), y_data({{-1}, {1}, {1}, {-1}});
  Graph g;
  const Expr X = g.placeholder("X", {any, 4});
  const Expr y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 2, .init_stddev = 0.1, .task = Task::binary});
  const Expr train = Adagrad(0.5).minimize(fm.loss);
  Session session(g);
  for (int i = 0; i < 200; ++i) session.run(train, {{X, x_data}, {y, y_data}});
  CHECK(accuracy(y_data, session.run(fm.prediction, {{X, x_data}})) == 1);
}

TEST_CASE("targets are checked") {
  CHECK_NOTHROW(check_targets(Task::binary, some_y()));
  CHECK_NOTHROW(check_targets(Task::regression, Tensor({{3}, {0}})));
  CHECK(refusal<Error>([] {
          check_targets(Task::binary, Tensor({{1}, {0}}));
        }) == "check_targets: target 1 is 0; a binary task takes -1 and 1");
  CHECK(refusal<Error>([] {
          check_targets(Task::regression, Tensor({{1}, {std::numeric_limits<double>::infinity()}}));
        }) == "check_targets: target 1 is inf; a finite number is expected");
}

TEST_CASE("what the models refuse: X and y") {
  Graph g;
  // clang-format off
  const Expr X = g.placeholder("X", {7, 16}); const int line = __LINE__;
  const Expr y = g.placeholder("y", {7, 1});
  const Expr flat = g.placeholder("flat", {7});
  const Expr short_y = g.placeholder("short", {6, 1});
  const Expr wide = g.sparse_placeholder("wide", {any, any});
  const Expr cube = g.placeholder("cube", {7, 16, 2});
  const Expr whole = g.placeholder("whole", {7, 16}, int64);
  const Expr exact = g.placeholder("exact", {any, 1}, float64);
  // clang-format on
  const auto at = [&](std::string_view shape, std::string_view name, int after) {
    return fmt::format("{} ({}, models_test.cpp:{})", shape, name, line + after);
  };
  const auto fm = [](const Expr& x, const Expr& targets) {
    return refusal<Error>([&] { FactorizationMachine model(x, targets); });
  };
  CHECK(fm(X, flat) == "FactorizationMachine: y is " + at("[7]", "flat", 2) + " but X is " + at("[7, 16]", "X", 0) +
                           "; y must be [n, 1], a target for each row of X");
  CHECK(fm(X, short_y) == "FactorizationMachine: y is " + at("[6, 1]", "short", 3) + " but X is " +
                              at("[7, 16]", "X", 0) + "; y must be [n, 1], a target for each row of X");
  CHECK(fm(wide, y) ==
        "FactorizationMachine: X is " + at("[?, ?]", "wide", 4) + "; the number of features, p, must be known");
  CHECK(fm(cube, y) == "FactorizationMachine: X is " + at("[7, 16, 2]", "cube", 5) + "; a matrix [n, p] is expected");
  CHECK(fm(whole, y) ==
        "FactorizationMachine: X is int64 " + at("[7, 16]", "whole", 6) + "; float32 or float64 is expected");
  CHECK(fm(X, exact) == "FactorizationMachine: y is float64 " + at("[?, 1]", "exact", 7) + " but X is float32 " +
                            at("[7, 16]", "X", 0) + "; cast one of them");
  CHECK(fm(Expr(), y) == "FactorizationMachine: X is no expression yet");
  CHECK(refusal<Error>([&] { LinearRegression model(X, Expr()); }) == "LinearRegression: y is no expression yet");
  CHECK(refusal<Error>([&] { PolynomialRegression model(cube, y); }) ==
        "PolynomialRegression: X is " + at("[7, 16, 2]", "cube", 5) + "; a matrix [n, p] is expected");
}

TEST_CASE("what the models refuse: options") {
  Graph g;
  const Expr X = g.placeholder("X", {7, 3});
  const Expr y = g.placeholder("y", {7, 1});
  const auto fm = [&](const FactorizationMachineOptions& options) {
    return refusal<Error>([&] { FactorizationMachine model(X, y, options); });
  };
  CHECK(fm({.factors = 0}) == "FactorizationMachine: factors is 0; 1 or more is expected");
  CHECK(fm({.init_stddev = -0.5}) ==
        "FactorizationMachine: init_stddev is -0.5; a finite number, 0 or more, is expected");
  CHECK(fm({.l2_w0 = -1}) == "FactorizationMachine: l2_w0 is -1; a finite number, 0 or more, is expected");
  CHECK(fm({.l2_W = std::numeric_limits<double>::quiet_NaN()}) ==
        "FactorizationMachine: l2_W is nan; a finite number, 0 or more, is expected");
  CHECK(fm({.l2_V = std::numeric_limits<double>::infinity()}) ==
        "FactorizationMachine: l2_V is inf; a finite number, 0 or more, is expected");
  CHECK(fm({.l2_groups = {.group = {0, 1}}}) ==
        "FactorizationMachine: l2_groups.group has 2 entries but X has 3 features");
  CHECK(fm({.l2_groups = {.group = {0, 1, -1}}}) ==
        "FactorizationMachine: l2_groups.group[2] is -1; a group from 0 to 2 is expected");
  CHECK(fm({.l2_groups = {.group = {0, 1, 0}, .W = {1, 2, 3}}}) ==
        "FactorizationMachine: l2_groups.W has 3 entries but l2_groups.group names 2 groups");
  CHECK(fm({.l2_groups = {.V = {{1}, {2}}}}) ==
        "FactorizationMachine: l2_groups.V has 2 entries but l2_groups.group names 1 group");
  CHECK(fm({.factors = 4, .l2_groups = {.V = {{1, 2}}}}) ==
        "FactorizationMachine: l2_groups.V[0] has 2 entries; 1 or 4, as there are factors, is expected");
  CHECK(fm({.factors = 4, .l2_groups = {.group = {0, 1, 0}, .V = {{1}, {1, 2, 3, 4}}}}) ==
        "FactorizationMachine: l2_groups.V[1] has 4 entries but l2_groups.V[0] has 1");
  CHECK(fm({.l2_groups = {.V = {{-2}}}}) ==
        "FactorizationMachine: l2_groups.V[0][0] is -2; a finite number, 0 or more, is expected");
  CHECK(fm({.l2_V = 1, .l2_groups = {.V = {{1}}}}) == "FactorizationMachine: l2_V and l2_groups.V are both given");
  CHECK(fm({.l2_W = 1, .l2_groups = {.W = {1}}}) == "FactorizationMachine: l2_W and l2_groups.W are both given");
  CHECK(g.variables().empty());
  CHECK(refusal<Error>([&] { PolynomialRegression model(X, y, {.l2_W2 = -1}); }) ==
        "PolynomialRegression: l2_W2 is -1; a finite number, 0 or more, is expected");
  CHECK(refusal<Error>([&] { LinearRegression model(X, y, {.l2_W = -1}); }) ==
        "LinearRegression: l2_W is -1; a finite number, 0 or more, is expected");
}

TEST_CASE("nodes of a model belong to the line that asked for it") {
  Graph g;
  const Expr X = g.placeholder("X", {7, 3});
  const Expr y = g.placeholder("y", {7, 1});
  const int line = __LINE__ + 1;
  const FactorizationMachine fm(X, y);
  CHECK(to_string(fm.V.where()) == fmt::format("models_test.cpp:{}", line));
  CHECK(to_string(fm.interactions.where()) == fmt::format("models_test.cpp:{}", line));
}

TEST_CASE("metrics") {
  const Tensor y({{1}, {2}, {4}}), y_hat({{1}, {4}, {3}});
  CHECK(mse(y, y_hat) == doctest::Approx(5.0 / 3));
  CHECK(rmse(y, y_hat) == doctest::Approx(std::sqrt(5.0 / 3)));
  CHECK(mae(y, y_hat) == doctest::Approx(1));
  CHECK(std::isnan(mse(Tensor(), Tensor())));
  const Tensor target({1, -1, -1, 1}), probability({0.9, 0.2, 0.6, 0.5}, float64);
  CHECK(log_loss(target, probability) ==
        doctest::Approx(-(std::log(0.9) + std::log(0.8) + std::log(0.4) + std::log(0.5)) / 4));
  CHECK(accuracy(target, probability) == 0.75);
  CHECK(std::isinf(log_loss(Tensor({1}), Tensor({0}))));

  CHECK(refusal<Error>([&] {
          mse(y, Tensor({1, 4, 3}));
        }) == "mse: y is float32 [3, 1] but y_hat is float32 [3]; dense tensors of one shape are expected");
  CHECK(refusal<Error>([&] { rmse(y.to_csr(), y_hat); }) ==
        "rmse: y is float32 csr [3, 1] but y_hat is float32 [3, 1]; dense tensors of one shape are expected");
  CHECK(refusal<Error>([&] { accuracy(y, y_hat); }) == "check_targets: target 1 is 2; a binary task takes -1 and 1");
}

}  // namespace gradus
