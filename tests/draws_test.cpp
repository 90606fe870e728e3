// Draws of samplers: their moments, and that each is a function of its number.
#include <gradus/models/training/detail/draws.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace gradus;

TEST_CASE("draws have the moments of their distributions") {
  std::vector<float> normals(1 << 16);
  draw_normals({.seed = 5, .iteration = 2}, 0, normals);
  double moments[5] = {}, neighbours = 0;
  for (std::size_t i = 0; i < normals.size(); ++i) {
    const auto x = static_cast<double>(normals[i]);
    for (int m = 1; m < 5; ++m) moments[m] += std::pow(x, m) / static_cast<double>(normals.size());
    neighbours += x * static_cast<double>(normals[i ^ 1]) / static_cast<double>(normals.size());
  }
  const double error = 1 / std::sqrt(static_cast<double>(normals.size()));
  CHECK(std::abs(moments[1]) < 4 * error);
  CHECK(std::abs(moments[2] - 1) < 4 * std::sqrt(2.) * error);
  CHECK(std::abs(moments[3]) < 4 * std::sqrt(15.) * error);
  CHECK(std::abs(moments[4] - 3) < 4 * std::sqrt(96.) * error);
  CHECK(std::abs(neighbours) < 4 * std::sqrt(2.) * error);  // a pair counts twice
  std::vector<float> later(100);
  draw_normals({.seed = 5, .iteration = 2}, 1000, later);
  CHECK(std::equal(later.begin(), later.end(), normals.begin() + 1000));
  std::vector<std::size_t> below(10);  // of deciles
  for (const float x : normals)
    ++below[std::min<std::size_t>(9, static_cast<std::size_t>(10 * normal_cdf(static_cast<double>(x))))];
  for (const std::size_t count : below) CHECK(std::abs(static_cast<double>(count) - 6553.6) < 4 * 76.8);

  Draws draws({.seed = 5}, 9);
  constexpr int n = 40000;
  for (const double shape : {0.4, 1., 7.5, 400.}) {
    CAPTURE(shape);
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const double x = draws.gamma(shape);
      sum += x / n;
      squares += (x - shape) * (x - shape) / n;
    }
    CHECK(std::abs(sum - shape) < 4 * std::sqrt(shape / n));
    CHECK(squares == doctest::Approx(shape).epsilon(0.08));
  }
  for (const double mean : {3., 0.2, -0.2, -2., -9., -60.}) {
    CAPTURE(mean);
    double sum = 0, least = 1;
    for (int i = 0; i < n; ++i) {
      const double x = draws.normal_above_zero(mean);
      sum += x / n;
      least = std::min(least, x);
    }
    CHECK(least > 0);
    CHECK(sum == doctest::Approx(mean_above_zero(mean)).epsilon(0.02));
  }
}

TEST_CASE("the logarithm of the normal distribution function goes on where the function is 0") {
  CHECK(log_normal_cdf(0) == doctest::Approx(std::log(0.5)));
  CHECK(log_normal_cdf(-10) == doctest::Approx(-53.23128515051247));  // SciPy's log_ndtr
  CHECK(log_normal_cdf(-50) == doctest::Approx(-1254.831361).epsilon(1e-6));
}
