// check_gradients is itself checked with rules that are wrong on purpose: each must be caught, and a right one pass.
#include <gradus/ops/check_gradients.h>

#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <limits>
#include <memory>
#include <string>

using namespace gradus;

namespace {

// a^2 b, element by element, with a gradient rule given from outside.
class PlantedOp final : public Op {
 public:
  using Rule = Expr (*)(const Expr& a, const Expr& b, const Expr& dy, int i);
  explicit PlantedOp(Rule rule) : rule_(rule) {}

  std::string_view name() const override { return "planted"; }
  Type infer(const OpInputs& in) const override { return in[0]; }
  Expr gradient(const Expr& y, const Expr& dy, int i) const override { return rule_(y.input(0), y.input(1), dy, i); }
  void compute(Call& call) const override {
    const double *a = call.in<double>(0), *b = call.in<double>(1);
    double* y = call.out<double>();
    for (std::int64_t j = 0; j < call.out().shape().size(); ++j) y[j] = a[j] * a[j] * b[j];
  }

 private:
  Rule rule_;
};

// dy/da = 2ab, dy/db = a^2.
Expr right_rule(const Expr& a, const Expr& b, const Expr& dy, int i) {
  return i == 0 ? dy * (2 * a * b) : dy * (a * a);
}

GradientCheck check_planted(PlantedOp::Rule rule) {
  Graph g;
  const Expr a = g.placeholder("a", {2, 2}, float64), b = g.placeholder("b", {2, 2}, float64);
  const Expr y = gradus::apply(std::make_shared<PlantedOp>(rule), {a, b});
  const Tensor a_value({{0.5, -1.25}, {2.0, 0.75}}, float64), b_value({{1.5, 0.25}, {-0.5, 3.0}}, float64);
  return check_gradients(y, {a, b}, {{a, a_value}, {b, b_value}});
}

}  // namespace

TEST_CASE("check_gradients passes a right rule") {
  const GradientCheck check = check_planted(right_rule);
  CHECK_MESSAGE(check, check.report);
  CHECK(check.worst_error < 1e-8);
}

TEST_CASE("check_gradients catches wrong rules") {
  SUBCASE("a wrong factor") {
    const GradientCheck check = check_planted(
        [](const Expr& a, const Expr& b, const Expr& dy, int i) { return i == 0 ? dy * (a * b) : dy * (a * a); });
    CHECK(!check);
    CHECK(check.worst_error == doctest::Approx(0.5));
    CHECK(check.report.find(" by a[") != std::string::npos);
  }
  SUBCASE("a factor wrong by a little") {
    CHECK(!check_planted([](const Expr& a, const Expr& b, const Expr& dy, int i) {
      return i == 0 ? dy * (2.001 * a * b) : dy * (a * a);
    }));
  }
  SUBCASE("a wrong sign") {
    CHECK(!check_planted([](const Expr& a, const Expr& b, const Expr& dy, int i) {
      return i == 0 ? dy * (2 * a * b) : -(dy * (a * a));
    }));
  }
  SUBCASE("the gradient of the other input") {
    CHECK(!check_planted(
        [](const Expr& a, const Expr& b, const Expr& dy, int i) { return right_rule(a, b, dy, 1 - i); }));
  }
  SUBCASE("dy forgotten") {
    CHECK(!check_planted(
        [](const Expr& a, const Expr& b, const Expr& dy, int i) { return right_rule(a, b, ones_like(dy), i); }));
  }
  SUBCASE("zero") {
    const GradientCheck check = check_planted([](const Expr& a, const Expr& b, const Expr& dy, int i) {
      return i == 0 ? zeros_like(dy) : right_rule(a, b, dy, i);
    });
    CHECK(!check);
    CHECK(check.worst_error == doctest::Approx(1));
  }
  SUBCASE("NaN in one element") {
    const GradientCheck check = check_planted([](const Expr& a, const Expr& b, const Expr& dy, int i) {
      const Tensor spoiled({{1, 1}, {std::numeric_limits<double>::quiet_NaN(), 1}}, float64);
      return i == 1 ? right_rule(a, b, dy, i) * spoiled : right_rule(a, b, dy, i);
    });
    CHECK(!check);
    CHECK(check.report.find(" by b[1, 0]: analytic nan, numeric ") != std::string::npos);
  }
  SUBCASE("one element of the wrong place") {
    CHECK(!check_planted([](const Expr& a, const Expr& b, const Expr& dy, int i) {
      return i == 0 ? dy * transpose(2 * a * b) : dy * (a * a);
    }));
  }
}

TEST_CASE("check_gradients catches a value that is not finite") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, float64);
  const GradientCheck check = check_gradients(log(x), {x}, {{x, Tensor({1.0, -1.0}, float64)}});
  CHECK(!check);
  CHECK(check.report.find("log ") == 0);
}

TEST_CASE("the report names op, place and element") {
  Graph g;
  const Expr x = g.placeholder("X", {3, 2}, float64);
  const int line = __LINE__ + 1;
  const Expr y = tanh(x);
  const GradientCheck check = check_gradients(y, {x}, {{x, Tensor({{0, 0}, {0, 0}, {0, 1}}, float64)}});
  CHECK_MESSAGE(check, check.report);
  CHECK(check.report.find(fmt::format("tanh (check_gradients_test.cpp:{}) by X[", line)) == 0);
  CHECK(check.report.find("]: analytic ") != std::string::npos);
  CHECK(check.report.find(", numeric ") != std::string::npos);
  CHECK(check.report.find(", relative error ") != std::string::npos);

  const Expr s = g.placeholder("s", {}, float64);
  const GradientCheck scalar = check_gradients(square(s), {s}, {{s, Tensor(3, float64)}});
  CHECK_MESSAGE(scalar, scalar.report);
  CHECK(scalar.report.find(" by s: analytic ") != std::string::npos);
}

TEST_CASE("check_gradients moves variables and puts them back") {
  Graph g;
  const Expr w = g.variable("w", Tensor({0.5, -2, 3}, float64));
  const Expr x = g.placeholder("x", {3}, float64);
  const Expr y = w * w * x;
  const Tensor fed({1.0, 2.0, -1.0}, float64);
  CHECK(check_gradients(y, {w, x}, {{x, fed}}).ok);

  Session session(g);
  const Tensor moved({4.0, 5.0, 6.0}, float64);
  session.assign(w, moved);
  const Expr xs[] = {w};
  CHECK(check_gradients(session, y, xs, {{x, fed}}).ok);
  CHECK(session.value(w) == moved);
}

TEST_CASE("check_gradients of what does not depend on x is zero, and of nothing passes") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, float64), z = g.placeholder("z", {2}, float64);
  const Tensor value({1.0, 2.0}, float64);
  CHECK(check_gradients(square(x), {x, z}, {{x, value}, {z, value}}).ok);

  // Hidden from gradients(), seen by the differences.
  CHECK(!check_gradients(x * stop_gradient(x), {x}, {{x, value}}));

  const Expr e = g.placeholder("e", {0, 3}, float64);
  const GradientCheck check = check_gradients(square(e), {e}, {{e, zeros({0, 3}, float64)}});
  CHECK(check);
  CHECK(check.report.find("no elements to check") != std::string::npos);
}

TEST_CASE("check_gradients by the non-zeros of a csr matrix") {
  Graph g;
  const Expr x = g.sparse_placeholder("X", {3, 4}, float64), v = g.placeholder("v", {4, 2}, float64);
  const Tensor x_value = Tensor({{0, 1.5, 0, 0}, {0, 0, 0, 0}, {-2, 0, 0, 0.5}}, float64).to_csr();
  const Tensor v_value({{1, 2}, {3, 4}, {5, 6}, {7, 8}}, float64);
  const GradientCheck check = check_gradients(matmul(square(x), v), {x, v}, {{x, x_value}, {v, v_value}});
  CHECK_MESSAGE(check, check.report);
}

TEST_CASE("check_gradients refuses what it cannot check") {
  const auto at = [](int line) { return fmt::format("(check_gradients_test.cpp:{})", line); };
  const std::string advice = "is float32; differences need float64: build the graph in float64";
  Graph g;
  const int first = __LINE__;
  const Expr f = g.placeholder("f", {2});
  const Expr x = g.placeholder("x", {2}, float64);
  const Expr unused = g.placeholder("unused", {2}, float64);
  const Expr y = x + cast(f, float64);
  const Expr narrow = square(f).named("narrow");
  const Expr z = square(x).named("z");
  const Tensor value({1.0, 2.0}, float64);
  CHECK_THROWS_WITH_AS(check_gradients(y, {f}, {{f, value.cast(float32)}, {x, value}}),
                       fmt::format("check_gradients: f {} {}", at(first + 1), advice).c_str(), TypeError);
  CHECK_THROWS_WITH_AS(check_gradients(narrow, {x}, {{f, value.cast(float32)}, {x, value}}),
                       fmt::format("check_gradients: narrow {} {}", at(first + 5), advice).c_str(), TypeError);
  CHECK_THROWS_WITH_AS(
      check_gradients(exp(z), {z}, {{x, value}}),
      fmt::format("check_gradients: z {} is computed; x must be a placeholder or a variable", at(first + 6)).c_str(),
      TypeError);
  CHECK_THROWS_WITH_AS(check_gradients(z, {unused}, {{x, value}}),
                       fmt::format("check_gradients: unused {} is not fed", at(first + 3)).c_str(), FeedError);
  Graph other;
  const int last = __LINE__ + 1;
  const Expr elsewhere = other.placeholder("elsewhere", {2}, float64);
  CHECK_THROWS_WITH_AS(
      check_gradients(z, {elsewhere}, {{x, value}}),
      fmt::format("check_gradients: z {} and elsewhere {} belong to different graphs", at(first + 6), at(last)).c_str(),
      TypeError);
}
