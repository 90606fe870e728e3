// What a formula costs must not depend on how it is spelled: both sides of each pair of tests/spellings.h compute the
// same values, and their plans store as many bytes. (tests/benchmarks/spelling_bench.cpp has their times.)
#include "spellings.h"
#include "values_of.h"

#include <gradus/core/run/reference.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace gradus {
namespace {

// |a - b|
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

TEST_CASE("another spelling computes the same") {
  constexpr SpellingSizes small{.rows = 60, .columns = 12, .features = 780, .dtype = float64};
  for (const Spelling& spelling : spellings()) {
    if (spelling.tolerance == 0) continue;
    CAPTURE(spelling.name);
    SpelledStep usual(small), other(small);
    spelling.usual(usual);
    spelling.other(other);
    Session a(usual.g), b(other.g);
    std::vector<std::vector<double>> start;
    for (const Expr& variable : usual.g.trainable_variables()) start.push_back(values_of(a.value(variable)));
    for (int i = 0; i < 3; ++i) {
      const double loss = a.run({usual.loss, usual.train}, usual.feeds)[0].item();
      CHECK(b.run({other.loss, other.train}, other.feeds)[0].item() == doctest::Approx(loss).epsilon(1e-12));
    }
    for (std::size_t i = 0; i < start.size(); ++i) {
      const Expr variable = usual.g.trainable_variables()[i];
      CAPTURE(variable.name());
      const std::vector<double> values = values_of(a.value(variable));
      const double moved = distance(values, start[i]);
      CHECK(moved > 0);
      CHECK(distance(values, values_of(b.value(other.g.find(variable.name())))) <= spelling.tolerance * moved);
    }
  }
}

TEST_CASE("another spelling's plan stores as many bytes") {
  constexpr std::int64_t few_lines = 512, few_columns = 2;
  const auto near = [](std::int64_t a, std::int64_t b, std::int64_t few) {
    return 10 * std::max(a, b) <= 11 * std::min(a, b) + 10 * few;
  };
  for (const Spelling& spelling : spellings()) {
    SpelledStep usual({}), other({});
    spelling.usual(usual);
    spelling.other(other);
    const PlanBytes ours = plan_bytes(usual), theirs = plan_bytes(other);
    INFO(fmt::format("{}: {} bytes and {} columns of held rows for {}, {} and {} for {}", spelling.name, ours.arena,
                     ours.row_columns, spelling.usual_text, theirs.arena, theirs.row_columns, spelling.other_text));
    const bool as_many =
        near(ours.arena, theirs.arena, few_lines) && near(ours.row_columns, theirs.row_columns, few_columns);
    CHECK(as_many == spelling.stores_more.empty());
  }
}

// Whether a is b but for rounding: NaN, infinities and the signs of zeros are theirs.
bool same(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (a == 0 || b == 0 || std::isinf(a) || std::isinf(b)) return a == b && std::signbit(a) == std::signbit(b);
  return std::abs(a - b) <= 3e-7F * std::abs(b);
}

TEST_CASE("what stands for another spelling keeps NaN, infinities, zeros and the ends of the range") {
  constexpr auto infinite = std::numeric_limits<float>::infinity();
  const std::vector<float> ends{std::numeric_limits<float>::quiet_NaN(),
                                infinite,
                                -infinite,
                                0.0F,
                                -0.0F,
                                1e-38F,
                                -1e-38F,
                                1e38F,
                                -1e38F,
                                1.0F,
                                -2.5F,
                                3e-20F};
  const std::int64_t n = std::ssize(ends);
  Graph g;
  const Expr a = g.placeholder("a", {n, 1}), b = g.placeholder("b", {1, n});
  const Expr x = a + zeros_like(b), y = b + zeros_like(a), root = sqrt(y);  // all pairs of values   [n, n]
  const std::vector<Expr> formulas{x + (-y),
                                   (-x) + y,
                                   x - (-y),
                                   x + -1 * y,
                                   x * x,
                                   square(abs(x)),
                                   square(-x),
                                   pow(abs(x), 0.5),
                                   pow(x, -0.5),
                                   x / root,
                                   3 / root,
                                   root * y / root,
                                   1 / sqrt(x),
                                   mask(!(x < y), y),
                                   where(!(x < y), x, y),
                                   clip_by_value(x, y, 1),
                                   gradients(reduce_sum(maximum(x, y)), {x})[0],
                                   exp(log_sigmoid(x))};
  const Feeds feeds{{a, Tensor::from(ends, {n, 1})}, {b, Tensor::from(ends, {1, n})}};
  const std::vector<Tensor> planned = Session(g).run(formulas, feeds), plain = Reference().run(formulas, feeds);
  for (std::size_t f = 0; f < formulas.size(); ++f) {
    CAPTURE(formulas[f].name());
    for (std::int64_t i = 0; i < n * n; ++i) {
      const float found = planned[f].span<float>()[static_cast<std::size_t>(i)];
      const float expected = plain[f].span<float>()[static_cast<std::size_t>(i)];
      INFO(ends[static_cast<std::size_t>(i / n)], " and ", ends[static_cast<std::size_t>(i % n)], ": ", found,
           " instead of ", expected);
      CHECK(same(found, expected));
    }
  }
}

}  // namespace
}  // namespace gradus
