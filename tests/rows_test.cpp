// Elementwise ops where formulas break: NaN, infinities, signed zeros, the least integer, ties, kinks. Expected
// values are Python's and NumPy's, written out; and the exact texts of refusals.
#include "refusal.h"
#include "special_values.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {
namespace {

constexpr std::int32_t least32 = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t greatest32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t least64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t greatest64 = std::numeric_limits<std::int64_t>::max();

Tensor f64(std::vector<double> values) { return Tensor::from(values); }
Tensor f32(std::vector<double> values) { return f64(std::move(values)).cast(float32); }
Tensor flags(std::vector<double> values) { return f64(std::move(values)).cast(boolean); }
Tensor i32(std::vector<std::int32_t> values) { return Tensor::from(values); }
Tensor i64(std::vector<std::int64_t> values) { return Tensor::from(values); }

std::string text(const Tensor& tensor) {
  std::string out;
  dispatch(tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (const T value : tensor.span<T>()) {
      if (!out.empty()) out += ' ';
      if constexpr (std::is_same_v<T, bool>) {
        out += value ? '1' : '0';
      } else if constexpr (std::is_floating_point_v<T>) {
        out += std::isnan(value) ? "nan" : fmt::format("{}", value);  // without the sign of a NaN
      } else {
        out += fmt::format("{}", value);
      }
    }
  });
  return out;
}

/// What f gives for these tensors, fed: "nan -0 inf".
template <class F, class... Tensors>
std::string result(F f, const Tensors&... tensors) {
  Graph g;
  std::vector<Feed> feeds;
  const auto fed = [&](const Tensor& value) {
    feeds.push_back({g.placeholder("x", value.shape(), value.dtype()), value});
    return feeds.back().placeholder;
  };
  const Expr y = [&]<std::size_t... i>(std::index_sequence<i...>, const std::vector<Expr>& x) { return f(x[i]...); }
  (std::index_sequence_for<Tensors...>{}, std::vector<Expr>{fed(tensors)...});
  Session session(g);
  return text(session.run(y, feeds));
}

/// The gradient of the sum of f(x), at x.
template <class F>
std::string slope(F f, const Tensor& value, int order = 1) {
  return result(
      [&](const Expr& x) {
        Expr y = f(x);
        for (int i = 0; i < order; ++i) y = gradients(y, {x}, Unconnected::zero)[0];
        return y;
      },
      value);
}

// --- arithmetic ----------------------------------------------------------------------------------------

TEST_CASE("integer arithmetic wraps around") {
  CHECK(result(add, i32({greatest32, least32}), i32({1, -1})) == "-2147483648 2147483647");
  CHECK(result(subtract, i32({least32, 0}), i32({1, least32})) == "2147483647 -2147483648");
  CHECK(result(multiply, i32({65536, least32, greatest32}), i32({65536, -1, 2})) == "0 -2147483648 -2");
  CHECK(result(squared_difference, i32({65536, 3}), i32({0, 5})) == "0 4");
  CHECK(result(negative, i32({least32, 5})) == "-2147483648 -5");
  CHECK(result(abs, i32({least32, -5, 5})) == "-2147483648 5 5");
  CHECK(result(square, i32({65536, -3})) == "0 9");
  CHECK(result(add, i64({greatest64}), i64({1})) == "-9223372036854775808");
  CHECK(result(multiply, i64({least64}), i64({-1})) == "-9223372036854775808");
  CHECK(result(negative, i64({least64})) == "-9223372036854775808");
  CHECK(result(abs, i64({least64})) == "-9223372036854775808");
}

TEST_CASE("division by zero") {
  CHECK(result(divide, f64({1, -1, 0, 1, not_a_number}), f64({0, 0, 0, -0.0, 1})) == "inf -inf nan -inf nan");
  CHECK(result(reciprocal, f64({0, -0.0, infinity, -infinity})) == "inf -inf 0 -0");
  CHECK(result(rsqrt, f64({0, 4, infinity, -1})) == "inf 0.5 0 nan");
  CHECK_THROWS_WITH_AS(result(floordiv, i32({4, 1}), i32({2, 0})),
                       doctest::Contains("floordiv: integer division by zero (floordiv, "), ValueError);
  CHECK_THROWS_WITH_AS(result(mod, i64({4, 1}), i64({2, 0})), doctest::Contains("mod: integer division by zero (mod, "),
                       ValueError);
}

TEST_CASE("floordiv and mod have Python's signs") {
  const Tensor a = i32({7, -7, 7, -7, 6, -6, 0, least32, least32});
  const Tensor b = i32({2, 2, -2, -2, -3, 3, 5, -1, 1});
  CHECK(result(floordiv, a, b) == "3 -4 -4 3 -2 -2 0 -2147483648 -2147483648");
  CHECK(result(mod, a, b) == "1 1 -1 -1 0 0 0 0 0");
  CHECK(result(floordiv, i64({least64, least64}), i64({-1, 3})) == "-9223372036854775808 -3074457345618258603");
  CHECK(result(mod, i64({least64, least64}), i64({-1, 3})) == "0 1");

  const Tensor x = f64({7.5, -7.5, 7.5, -7.5, 6, -1e-20, 4, -4, 0, -0.0});
  const Tensor y = f64({2, 2, -2, -2, 0.1, 1, -2, 2, -1, 1});
  CHECK(result(floordiv, x, y) == "3 -4 -4 3 59 -1 -2 -2 -0 -0");
  CHECK(result(mod, x, y) == "1.5 0.5 -0.5 -1.5 0.09999999999999967 1 -0 0 -0 0");
}

TEST_CASE("floordiv and mod of infinities and by zero") {
  const Tensor a = f64({1, -1, 1, -1, 0, infinity, -infinity, infinity, 1, -1, 0, not_a_number, 1});
  const Tensor b = f64({infinity, infinity, -infinity, -infinity, -infinity, 1, 1, infinity, 0, 0, 0, 1, not_a_number});
  CHECK(result(floordiv, a, b) == "0 -1 -1 0 -0 nan nan nan inf -inf nan nan nan");
  CHECK(result(mod, a, b) == "1 inf -inf -1 -0 nan nan nan nan nan nan nan nan");
}

TEST_CASE("of maximum and minimum NaN wins") {
  const Tensor a = f64({not_a_number, 1, not_a_number, infinity, -infinity, 2});
  const Tensor b = f64({1, not_a_number, not_a_number, 1, 1, 3});
  CHECK(result(maximum, a, b) == "nan nan nan inf 1 3");
  CHECK(result(minimum, a, b) == "nan nan nan 1 -inf 2");
  CHECK(result(maximum, f32({not_a_number, 1}), f32({1, not_a_number})) == "nan nan");
  CHECK(result(maximum, i32({least32, 3}), i32({greatest32, 2})) == "2147483647 3");
  CHECK(result(minimum, i64({least64, 3}), i64({greatest64, 2})) == "-9223372036854775808 2");
}

TEST_CASE("powers with the exponents that have loops of their own") {
  const auto to = [](double exponent) { return [exponent](const Expr& x) { return pow(x, exponent); }; };
  for (const auto& make : {f64, f32}) {
    const Tensor x = make({-3, -0.0, 0, 4, infinity, -infinity, not_a_number});
    CHECK(result(to(2), x) == "9 0 0 16 inf inf nan");
    CHECK(result(to(1), x) == "-3 -0 0 4 inf -inf nan");
    CHECK(result(to(0), x) == "1 1 1 1 1 1 1");
    CHECK(result(to(0.5), x) == "nan 0 0 2 inf inf nan");
    CHECK(result(to(-1), make({-2, -0.0, 0, 4, infinity, -infinity, not_a_number})) == "-0.5 -inf inf 0.25 0 -0 nan");
    // The same numbers as exponents element by element.
    CHECK(result(pow, x, make({2, 2, 2, 2, 2, 2, 2})) == "9 0 0 16 inf inf nan");
    CHECK(result(pow, x, make({1, 1, 1, 1, 1, 1, 1})) == "-3 -0 0 4 inf -inf nan");
    CHECK(result(pow, x, make({0, 0, 0, 0, 0, 0, 0})) == "1 1 1 1 1 1 1");
    CHECK(result(pow, x, make({.5, .5, .5, .5, .5, .5, .5})) == "nan 0 0 2 inf inf nan");
  }
}

TEST_CASE("powers at the ends") {
  CHECK(result(pow, f64({0, 0, -8, 10, 10, 1, 2, -2}), f64({-2, 0, 1 / 3.0, 400, -400, not_a_number, -1074, 3})) ==
        "inf 1 nan inf 0 1 5e-324 -8");
  CHECK(result([](const Expr& x) { return pow(2, x); }, f64({3, -1, 1024})) == "8 0.5 inf");
}

TEST_CASE("integer powers") {
  CHECK(result(pow, i32({3, -2, 0, 2, 46341, -1, 7}), i32({4, 3, 0, 31, 2, greatest32, 1})) ==
        "81 -8 1 -2147483648 -2147479015 -1 7");
  CHECK(result(pow, i64({2, 3, 10}), i64({62, 39, 18})) ==
        "4611686018427387904 4052555153018976267 1000000000000000000");
  CHECK(result([](const Expr& x) { return pow(x, 2); }, i32({-5, 0, 65536})) == "25 0 0");
  CHECK_THROWS_WITH_AS(result(pow, i32({1, 2}), i32({1, -1})),
                       doctest::Contains("pow: 2 to the power -1 is no integer; cast to a floating dtype (pow, "),
                       ValueError);
}

// --- functions -----------------------------------------------------------------------------------------

TEST_CASE("functions at zeros, infinities and NaN") {
  for (const auto& make : {f64, f32}) {
    const Tensor x = make({-infinity, -0.0, 0, infinity, not_a_number});
    CHECK(result(negative, x) == "inf 0 -0 -inf nan");
    CHECK(result(abs, x) == "inf 0 0 inf nan");
    CHECK(result(sign, x) == "-1 -0 0 1 nan");
    CHECK(result(exp, x) == "0 1 1 inf nan");
    CHECK(result(expm1, x) == "-1 -0 0 inf nan");
    CHECK(result(log, x) == "nan -inf -inf inf nan");
    CHECK(result(log1p, make({-infinity, -1, -0.0, 0, infinity, not_a_number})) == "nan -inf -0 0 inf nan");
    CHECK(result(sqrt, x) == "nan -0 0 inf nan");
    CHECK(result(square, x) == "inf 0 0 inf nan");
    CHECK(result(sigmoid, x) == "0 0.5 0.5 1 nan");
    CHECK(result(tanh, x) == "-1 -0 0 1 nan");
    CHECK(result(relu, x) == "0 -0 0 inf nan");
    CHECK(result([](const Expr& e) { return leaky_relu(e, 0.5); },
                 make({-infinity, -2, 0, 3, infinity, not_a_number})) == "-inf -1 0 3 inf nan");
    CHECK(result(sin, x) == "nan -0 0 nan nan");
    CHECK(result(cos, x) == "nan 1 1 nan nan");
    CHECK(result(tan, x) == "nan -0 0 nan nan");
    CHECK(result(erf, x) == "-1 -0 0 1 nan");
    CHECK(result(floor, x) == "-inf -0 0 inf nan");
    CHECK(result(ceil, make({-infinity, -0.5, 0, infinity, not_a_number})) == "-inf -0 0 inf nan");
    CHECK(result(round, x) == "-inf -0 0 inf nan");
  }
}

TEST_CASE("rounding, of numbers beyond the integers too") {
  for (const auto& make : {f64, f32}) {
    CHECK(result(round, make({0.5, 1.5, 2.5, -0.5, -1.5, 2.25, 8388609})) == "0 2 2 -0 -2 2 8388609");
    CHECK(result(floor, make({-0.5, 2.75, -2.25, 1e30})) == "-1 2 -3 1e+30");
    CHECK(result(ceil, make({0.5, 2.25, -2.75, -1e30})) == "1 3 -2 -1e+30");
  }
}

TEST_CASE("logistic functions neither overflow nor lose their small values") {
  CHECK(result(sigmoid, f64({-1000, -745, 40, 1000})) == "0 5e-324 1 1");
  CHECK(result(softplus, f64({-infinity, -1000, 1000, 1e300, infinity, not_a_number})) == "0 0 1000 1e+300 inf nan");
  CHECK(result(log_sigmoid, f64({-infinity, -1000, 1000, -1e300, infinity, not_a_number})) ==
        "-inf -1000 0 -1e+300 0 nan");
  CHECK(result(softplus, f64({0, -40})) == "0.6931471805599453 4.248354255291589e-18");
  CHECK(result(log_sigmoid, f64({0, 40})) == "-0.6931471805599453 -4.248354255291589e-18");
  CHECK(result(sigmoid, f32({-100, 100, -20})) == "3.8e-44 1 2.0611537e-09");
  CHECK(result(softplus, f32({-100, 100, 3e38})) == "3.8e-44 100 3e+38");
  CHECK(slope(softplus, f64({-1000, 0, 1000})) == "0 0.5 1");
  CHECK(slope(log_sigmoid, f64({-1000, 0, 1000})) == "1 0.5 0");
  CHECK(slope(sigmoid, f64({-1000, 0, 1000})) == "0 0.25 0");
}

TEST_CASE("expm1 and log1p are exact near zero") {
  CHECK(result(expm1, f64({1e-20})) == "1e-20");
  CHECK(result(log1p, f64({1e-20})) == "1e-20");
}

TEST_CASE("clip_by_value") {
  const auto clipped = [](const Expr& x) { return clip_by_value(x, -1, 2); };
  CHECK(result(clipped, f64({-infinity, -1, 0.5, 2, 3, infinity, not_a_number})) == "-1 -1 0.5 2 2 2 nan");
  CHECK(result(clipped, i32({least32, 0, greatest32})) == "-1 0 2");
  CHECK(result(clip_by_value, f64({0, 0, 0}), f64({not_a_number, 0, 3}), f64({1, not_a_number, 2})) == "nan nan 2");
  CHECK(slope(clipped, f64({-2, -1, 0, 2, 3, not_a_number})) == "0 1 1 1 0 0");
  // What does not go to x goes to the bound that was taken; the upper one, should they cross.
  const auto by_bound = [](int i) {
    return [i](const Expr& x, const Expr& low, const Expr& high) {
      return gradients(clip_by_value(x, low, high), {x, low, high})[static_cast<std::size_t>(i)];
    };
  };
  const Tensor x = f64({-5, -1, 0, 5, 0}), low = f64({-1, -1, -1, -1, 3}), high = f64({1, 1, 1, 1, 2});
  CHECK(result(by_bound(0), x, low, high) == "0 1 1 0 0");
  CHECK(result(by_bound(1), x, low, high) == "1 0 0 0 0");
  CHECK(result(by_bound(2), x, low, high) == "0 0 0 1 1");
}

// --- comparison, selection -----------------------------------------------------------------------------

TEST_CASE("nothing compares with NaN") {
  const Tensor a = f64({not_a_number, not_a_number, 1, 0, infinity, 1}),
               b = f64({not_a_number, 1, not_a_number, -0.0, infinity, 2});
  CHECK(result(equal, a, b) == "0 0 0 1 1 0");
  CHECK(result(not_equal, a, b) == "1 1 1 0 0 1");
  CHECK(result(less, a, b) == "0 0 0 0 0 1");
  CHECK(result(less_equal, a, b) == "0 0 0 1 1 1");
  CHECK(result(greater, a, b) == "0 0 0 0 0 0");
  CHECK(result(greater_equal, a, b) == "0 0 0 1 1 0");
  CHECK(result(isnan, a) == "1 1 0 0 0 0");
  CHECK(result(isfinite, f64({not_a_number, infinity, -infinity, 0, 1e308, 5e-324})) == "0 0 0 1 1 1");
  CHECK(result(isfinite, f32({not_a_number, infinity, -infinity, 3.4e38})) == "0 0 0 1");
}

TEST_CASE("logic") {
  const Tensor a = flags({0, 0, 1, 1}), b = flags({0, 1, 0, 1});
  CHECK(result(logical_and, a, b) == "0 0 0 1");
  CHECK(result(logical_or, a, b) == "0 1 1 1");
  CHECK(result(logical_not, a) == "1 1 0 0");
  CHECK(result(equal, a, b) == "1 0 0 1");
  CHECK(result(not_equal, a, b) == "0 1 1 0");
}

TEST_CASE("where and mask do not touch what they leave out") {
  const Tensor c = flags({1, 0, 1, 0});
  CHECK(result(where, c, f64({1, not_a_number, infinity, not_a_number}),
               f64({not_a_number, 2, not_a_number, -infinity})) == "1 2 inf -inf");
  CHECK(result(mask, c, f64({not_a_number, not_a_number, -0.0, infinity})) == "nan 0 -0 0");
  CHECK(result(mask, c, i64({least64, 1, 2, 3})) == "-9223372036854775808 0 2 0");
  CHECK(result(where, c, flags({1, 1, 0, 0}), flags({0, 0, 1, 1})) == "1 0 0 1");
  CHECK(result([](const Expr& m, const Expr& x) { return where(m, x, 7); }, c, f64({1, 2, 3, 4})) == "1 7 3 7");
  // The branch not taken may be infinitely steep.
  const auto safe_log = [](const Expr& x) { return where(greater(x, 0), log(where(greater(x, 0), x, 1)), 0); };
  CHECK(slope(safe_log, f64({-1, 0, 2})) == "0 0 0.5");
}

TEST_CASE("cast") {
  const auto to = [](DType dtype) { return [dtype](const Expr& x) { return cast(x, dtype); }; };
  CHECK(result(to(int32), f64({2.9, -2.9, not_a_number, infinity, -infinity, 3e9, -3e9})) ==
        "2 -2 0 2147483647 -2147483648 2147483647 -2147483648");
  CHECK(result(to(int32), f32({2147483648.0, 2147483520.0})) == "2147483647 2147483520");
  CHECK(result(to(int64), f64({9.3e18, -9.3e18, -0.5})) == "9223372036854775807 -9223372036854775808 0");
  CHECK(result(to(boolean), f64({0, -0.0, not_a_number, 0.1, infinity})) == "0 0 1 1 1");
  CHECK(result(to(boolean), i32({0, -1, 256})) == "0 1 1");
  CHECK(result(to(float32), f64({0.1, 1e300, 1e-50, not_a_number})) == "0.1 inf 0 nan");
  CHECK(result(to(float64), flags({0, 1})) == "0 1");
  CHECK(result(to(int32), i64({4294967297, least64})) == "1 0");
  CHECK(slope([&](const Expr& x) { return square(cast(x, float32)); }, f64({3})) == "6");
  CHECK(slope([&](const Expr& x) { return x * cast(cast(x, int32), float64); }, f64({3})) == "3");
}

TEST_CASE("identity passes the gradient on, stop_gradient does not") {
  CHECK(result(identity, f64({1, not_a_number})) == "1 nan");
  CHECK(result(stop_gradient, f64({1, not_a_number})) == "1 nan");
  CHECK(slope([](const Expr& x) { return identity(x) * x; }, f64({3})) == "6");
  CHECK(slope([](const Expr& x) { return stop_gradient(x) * x; }, f64({3})) == "3");
}

// --- derivatives at kinks, ties and poles ---------------------------------------------------------------

TEST_CASE("derivatives at kinks") {
  CHECK(slope(abs, f64({-2, 0, 2})) == "-1 0 1");
  CHECK(slope(relu, f64({-2, 0, 2})) == "0 0 1");
  CHECK(slope([](const Expr& x) { return leaky_relu(x, 0.25); }, f64({-2, 0, 2})) == "0.25 0.25 1");
  for (const auto& flat : {sign, floor, ceil, round}) CHECK(slope(flat, f64({-2.5, 0, 0.5})) == "0 0 0");
  CHECK(slope([](const Expr& x) { return maximum(x, 1); }, f64({0, 1, 2})) == "0 1 1");
  CHECK(slope([](const Expr& x) { return maximum(1, x); }, f64({0, 1, 2})) == "0 0 1");
  CHECK(slope([](const Expr& x) { return minimum(x, 1); }, f64({0, 1, 2})) == "1 1 0");
  CHECK(slope([](const Expr& x) { return minimum(1, x); }, f64({0, 1, 2})) == "1 0 0");
  CHECK(slope([](const Expr& x) { return mod(x, 3); }, f64({-1, 4})) == "1 1");
  CHECK(slope([](const Expr& x) { return mod(7, x); }, f64({2, -2})) == "-3 4");
  CHECK(slope([](const Expr& x) { return floordiv(x, 3); }, f64({-1, 4})) == "0 0");
}

TEST_CASE("derivatives of powers at zero, of any order") {
  const auto to = [](double exponent) { return [exponent](const Expr& x) { return pow(x, exponent); }; };
  const Tensor x = f64({0, -2});
  CHECK(slope(to(0), x) == "0 0");
  CHECK(slope(to(1), x) == "1 1");
  CHECK(slope(to(1), x, 2) == "0 0");
  CHECK(slope(to(2), x) == "0 -4");
  CHECK(slope(to(2), x, 2) == "2 2");
  CHECK(slope(to(2), x, 3) == "0 0");
  CHECK(slope(to(3), x) == "0 12");
  CHECK(slope(to(3), x, 2) == "0 -12");
  CHECK(slope(to(3), x, 3) == "6 6");
  CHECK(slope(to(3), x, 4) == "0 0");
  CHECK(slope(to(0.5), f64({0, 4})) == "inf 0.25");
  // An exponent that is fed: d a^b / da, and / db with log(a) taken as 0 where a <= 0.
  const Tensor a = f64({0, 0, 0, 3, 2, -2}), b = f64({0, 1, 2, 0, 3, 3});
  CHECK(result([](const Expr& p, const Expr& q) { return gradients(pow(p, q), {p})[0]; }, a, b) == "0 1 0 0 12 12");
  CHECK(result([](const Expr& p, const Expr& q) { return gradients(pow(p, q), {q})[0]; }, f64({0, -2, 1}),
               f64({0, 3, 5})) == "0 -0 0");
}

TEST_CASE("derivatives through csr are those through dense") {
  const Tensor dense({{0, 0.5, 0}, {0.25, 0, 0.75}}, float64);
  const auto by_weights = [&](Expr (*f)(const Operand&), bool sparse, int order) {
    Graph g;
    const Expr x = sparse ? g.sparse_placeholder("x", {2, 3}, float64) : g.placeholder("x", {2, 3}, float64);
    const Expr w = g.variable("w", Tensor({0.5, 1, 2}, float64));
    Expr y = reduce_sum(f(x * w));
    for (int i = 0; i < order; ++i) y = to_dense(gradients(y, {w}, Unconnected::zero)[0]);
    Session session(g);
    return session.run(y, {{x, sparse ? dense.to_csr() : dense}});
  };
  const auto leaky = [](const Operand& x) { return leaky_relu(x); };
  const auto cube = [](const Operand& x) { return pow(x, 3); };
  const auto larger = [](const Operand& x) { return maximum(x, x * 0.5); };
  const auto smaller = [](const Operand& x) { return minimum(x, x * 0.5); };
  for (Expr (*f)(const Operand&) : {negative, square, abs, sin, tan, tanh, erf, expm1, log1p, relu, +leaky, +cube,
                                    +larger, +smaller, floor, sign}) {
    for (const int order : {1, 2}) {
      CHECK(allclose(by_weights(f, true, order), by_weights(f, false, order), 1e-12, 1e-12));
    }
  }
}

// --- refusals ------------------------------------------------------------------------------------------

TEST_CASE("operands that do not fit are refused when the node is made") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr x = g.placeholder("x", {2, 3});
  const Expr y = g.placeholder("y", {2, 3}, float64);
  const Expr n = g.placeholder("n", {2, 3}, int32);
  const Expr m = g.placeholder("m", {2, 3}, boolean);
  const Expr v = g.placeholder("v", {2});
  const Expr s = g.sparse_placeholder("s", {any, 3});
  const std::string at_x = here(line), at_y = here(line + 1), at_n = here(line + 2), at_m = here(line + 3),
                    at_v = here(line + 4), at_s = here(line + 5);

  CHECK(refusal([&] { x + y; }) ==
        fmt::format("add: a is float32 (x, {}) but b is float64 (y, {}); cast one of them", at_x, at_y));
  CHECK(refusal([&] { x* v; }) ==
        fmt::format("multiply: a is [2, 3] (x, {}) but b is [2] (v, {}); the shapes do not broadcast", at_x, at_v));
  CHECK(refusal([&] { n / n; }) == fmt::format("divide: a is int32 (n, {}); float32 or float64 is expected", at_n));
  CHECK(refusal([&] { tanh(n); }) == fmt::format("tanh: x is int32 (n, {}); float32 or float64 is expected", at_n));
  CHECK(refusal([&] { m + m; }) == fmt::format("add: a is bool (m, {}); a number type is expected", at_m));
  CHECK(refusal([&] { logical_not(x); }) == fmt::format("logical_not: x is float32 (x, {}); bool is expected", at_x));
  CHECK(refusal([&] { where(x, x, x); }) ==
        fmt::format("where: condition is float32 (x, {}); it must be bool, which comparisons give", at_x));
  CHECK(refusal([&] { where(m, x, y); }) ==
        fmt::format("where: a is float32 (x, {}) but b is float64 (y, {}); cast one of them", at_x, at_y));
  CHECK(
      refusal([&] { where(m, x, v); }) ==
      fmt::format("where: condition is [2, 3] (m, {}) but b is [2] (v, {}); the shapes do not broadcast", at_m, at_v));
  CHECK(refusal([&] { mask(m, v); }) ==
        fmt::format("mask: condition is [2, 3] (m, {}) but x is [2] (v, {}); the shapes do not broadcast", at_m, at_v));
  CHECK(refusal([&] { exp(s); }) ==
        fmt::format("exp: x is csr (s, {}); its zeros would not stay zero, so the result would be dense; use to_dense "
                    "if that is meant",
                    at_s));

  const std::string at_power = here(__LINE__ + 1);
  const auto power_of_s = [&](double exponent) { return [&s, exponent] { pow(s, exponent); }; };
  CHECK(refusal(power_of_s(-1)) ==
        fmt::format("pow: x is csr (s, {}) and the exponent is -1 ({}): zeros would become infinite; use to_dense",
                    at_s, at_power));
  CHECK(refusal(power_of_s(0)) ==
        fmt::format("pow: x is csr (s, {}) and the exponent is 0 ({}): zeros would become ones; use to_dense", at_s,
                    at_power));
  CHECK(refusal([&] { pow(s, x); }) ==
        fmt::format("pow: x is csr (s, {}) and the exponent is [2, 3] (x, {}), not a constant: zeros might not stay "
                    "zero; use to_dense",
                    at_s, at_x));
}

TEST_CASE("what only a run can know is refused with the same words") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr x = g.placeholder("x", {any});
  const Expr y = g.placeholder("y", {any});
  const Expr z = x + y;
  Session session(g);
  CHECK(refusal([&] {
          session.run(z, {{x, f32({1, 2})}, {y, f32({1, 2, 3})}});
        }) == fmt::format("add: a is [2] (x, {}) but b is [3] (y, {}); the shapes do not broadcast", here(line),
                          here(line + 1)));
}

TEST_CASE("empty tensors and single numbers") {
  CHECK(result(tanh, Tensor::from(std::vector<float>{})) == "");
  CHECK(result(pow, Tensor::from(std::vector<float>{}), Tensor(2.0)) == "");
  CHECK(result(pow, Tensor(3.0), Tensor(2.0)) == "9");
  CHECK(result(where, Tensor(1.0, boolean), f64({1, 2}), Tensor(5.0, float64)) == "1 2");
  CHECK(result(clip_by_value, Tensor::from(std::vector<float>{}), Tensor(0.0), Tensor(1.0)) == "");
}

}  // namespace
}  // namespace gradus
