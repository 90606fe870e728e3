// one_hot, cumsum, argmax, random nodes, dropout and einsum: values, gradients, unknown shapes, and the same bits with
// any number of threads.
#include "shapes_cases.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace gradus;
using namespace gradus::shapes;

TEST_CASE("one_hot") {
  for (const DType index : {int32, int64})
    for (const DType dtype : all_dtypes) {
      const Tensor result =
          apply_to(Tensor({{0, 2}, {-1, 3}}, index), [&](const Expr& X) { return one_hot(X, 3, dtype); });
      CHECK(result == Tensor({{{1, 0, 0}, {0, 0, 1}}, {{0, 0, 0}, {0, 0, 0}}}).cast(dtype));
    }
  CHECK(apply_to(zeros({0}, int32), [](const Expr& X) { return one_hot(X, 3); }).shape() == Shape{0, 3});
  CHECK(apply_to(zeros({2}, int32), [](const Expr& X) { return one_hot(X, 0); }).shape() == Shape{2, 0});
}

TEST_CASE("cumsum along any axis, exclusive and in reverse") {
  for (const Shape& shape : {Shape{5}, Shape{1}, Shape{0}, Shape{3, 4}, Shape{2, 0, 3}, Shape{2, 3, 4}})
    for (int axis = -shape.rank(); axis < shape.rank(); ++axis)
      for (const bool exclusive : {false, true})
        for (const bool reverse : {false, true}) {
          CAPTURE(to_string(shape));
          CAPTURE(axis);
          const CumsumOptions options{.exclusive = exclusive, .reverse = reverse};
          const auto place = static_cast<std::size_t>(axis < 0 ? axis + shape.rank() : axis);
          for (const DType dtype : {float32, float64, int32, int64}) {
            const Tensor x = numbers(shape, dtype);
            const Tensor wanted = build(
                shape,
                [&](Place i) {
                  const std::int64_t own = i[place];
                  double sum = 0;
                  for (i[place] = 0; i[place] < shape[static_cast<int>(place)]; ++i[place])
                    if ((reverse ? i[place] > own : i[place] < own) || (!exclusive && i[place] == own)) sum += at(x, i);
                  return sum;
                },
                dtype);
            CHECK(apply_to(x, [&](const Expr& X) { return cumsum(X, axis, options); }) == wanted);
          }
          check_linear(shape, [&](const Expr& X) { return cumsum(X, axis, options); });
        }
  const Tensor wrapped = apply_to(Tensor({2147483647, 1}, int32), [](const Expr& X) { return cumsum(X); });
  CHECK(wrapped.at(1) == -2147483648.0);
}

TEST_CASE("argmax and argmin give the first extreme; a NaN is one") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x({{3, 1, 3}, {2, 5, 5}}, float64);
  CHECK(apply_to(x, [](const Expr& X) { return argmax(X); }) == Tensor({0, 1, 1}, int64));
  CHECK(apply_to(x, [](const Expr& X) { return argmax(X, -1); }) == Tensor({0, 1}, int64));
  CHECK(apply_to(x, [](const Expr& X) { return argmin(X, 1); }) == Tensor({1, 0}, int64));
  CHECK(apply_to(Tensor({1, nan, 2, nan}, float64), [](const Expr& X) { return argmax(X); }).item() == 1);
  CHECK(apply_to(Tensor({1, nan, 0, nan}, float64), [](const Expr& X) { return argmin(X); }).item() == 1);
  CHECK(apply_to(Tensor({0, 1, 1}, boolean), [](const Expr& X) { return argmax(X); }).item() == 1);
  CHECK(apply_to(zeros({0, 3}), [](const Expr& X) { return argmax(X, 1); }).shape() == Shape{0});
  CHECK(apply_to(numbers({2, 3, 4}), [](const Expr& X) { return argmax(X, 1); }) == full({2, 4}, 2, int64));
}

TEST_CASE("random nodes draw anew in each run, and the same in the same program") {
  const auto program = [](int threads) {
    Graph g;
    const Expr a = random_normal(g, {200, 300}, {.mean = 2, .stddev = 3, .seed = 1});
    const Expr b = random_normal(g, {200, 300}, {.mean = 2, .stddev = 3, .seed = 1});
    const Expr c = random_uniform(g, {50000}, {.low = -1, .high = 3, .seed = 1, .dtype = float64});
    Session session(g, Device::cpu(), {.threads = threads});
    std::vector<Tensor> drawn;
    for (int run = 0; run < 2; ++run)
      for (const Expr& e : {a, b, c}) drawn.push_back(session.run(e));
    const auto [once, again] = session.run({a, a + 0.0});
    CHECK(once == again);  // one node is drawn once in a run
    return drawn;
  };
  const std::vector<Tensor> first = program(1);
  const std::vector<Tensor> second = program(4);
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i] == second[i]);
  CHECK_FALSE(first[0] == first[3]);
  CHECK_FALSE(first[2] == first[5]);
  CHECK_FALSE(first[0] == first[1]);
  double mean = 0;
  for (const double v : first[0]) mean += v / 60000;
  CHECK(mean == doctest::Approx(2).epsilon(0.02));
  for (const double v : first[2]) CHECK_MESSAGE((v >= -1 && v < 3), v);
}

TEST_CASE("dropout drops with its rate, scales the rest, and its gradient drops the same") {
  Graph g;
  const Expr X = g.placeholder("X", {any}, float64);
  const Expr y = dropout(X, 0.25, 3);
  const Expr dx = gradients(reduce_sum(y), {X})[0];
  Session session(g);
  const Tensor x = numbers({40000});
  const auto [kept, slope] = session.run({y, dx}, {{X, x}});
  int dropped = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double factor = slope.stored_value(i);
    dropped += factor == 0 ? 1 : 0;
    REQUIRE((factor == 0 || factor == doctest::Approx(4.0 / 3)));
    REQUIRE(kept.stored_value(i) == doctest::Approx(factor * x.stored_value(i)));
  }
  CHECK(dropped == doctest::Approx(10000).epsilon(0.03));
  CHECK_FALSE(session.run(y, {{X, x}}) == kept);
  CHECK(session.run(dropout(X, 0), {{X, x}}) == x);
}

TEST_CASE("einsum, dot and outer") {
  // By plain loops over all letters.
  const auto naive = [](const std::string& a, const std::string& b, const std::string& out, const Tensor& x,
                        const Tensor& y) {
    std::string letters;
    Place sizes;
    const auto note = [&](const std::string& names, const Tensor& t) {
      for (std::size_t i = 0; i < names.size(); ++i)
        if (letters.find(names[i]) == std::string::npos) {
          letters += names[i];
          sizes.push_back(t.shape()[static_cast<int>(i)]);
        }
    };
    note(a, x);
    note(b, y);
    const auto pick = [&](const std::string& names, const Place& from) {
      Place index;
      for (const char c : names) index.push_back(from[letters.find(c)]);
      return index;
    };
    const Shape all(sizes);
    const Shape shape(pick(out, sizes));
    std::vector<double> sums(static_cast<std::size_t>(shape.size()), 0.0);
    for (std::int64_t i = 0; i < all.size(); ++i) {
      const Place index = unravel(i, all);
      std::int64_t position = 0;
      for (const char c : out) {
        const std::size_t letter = letters.find(c);
        position = position * sizes[letter] + index[letter];
      }
      sums[static_cast<std::size_t>(position)] += at(x, pick(a, index)) * at(y, pick(b, index));
    }
    return Tensor::from(sums, shape);
  };
  struct Case {
    std::string a, b, out;
    Shape x, y;
    bool unknown;  // whether it works where no size is known
  };
  const std::vector<Case> cases = {
      {"ij", "jk", "ik", {2, 3}, {3, 4}, true},
      {"ij", "jk", "ki", {2, 3}, {3, 4}, true},
      {"ij", "kj", "ik", {2, 3}, {4, 3}, true},
      {"bij", "bjk", "bik", {2, 3, 4}, {2, 4, 5}, true},
      {"ibj", "jkb", "bki", {2, 3, 4}, {4, 5, 3}, true},
      {"ij", "j", "i", {2, 3}, {3}, true},
      {"i", "ij", "j", {2}, {2, 3}, true},
      {"i", "i", "", {5}, {5}, true},
      {"i", "j", "ij", {2}, {3}, true},
      {"i", "j", "ji", {2}, {3}, true},
      {"ij", "ij", "ij", {2, 3}, {2, 3}, true},
      {"ij", "ji", "ij", {2, 3}, {3, 2}, true},
      {"bi", "bi", "b", {2, 3}, {2, 3}, true},
      {"ij", "ij", "", {2, 3}, {2, 3}, true},
      {"ij", "jk", "k", {2, 3}, {3, 4}, true},
      {"ijm", "jk", "ik", {2, 3, 2}, {3, 4}, true},
      {"", "ij", "ji", {}, {2, 3}, true},
      {"i", "i", "", {0}, {0}, true},
      {"ij", "jk", "ik", {2, 0}, {0, 4}, true},
      {"aij", "ijk", "ak", {2, 3, 4}, {3, 4, 5}, false},
      {"abi", "ick", "kbca", {2, 3, 2}, {2, 2, 3}, false},
  };
  for (const Case& c : cases) {
    const std::string equation = c.a + ", " + c.b + " -> " + c.out;
    CAPTURE(equation);
    const Tensor x = numbers(c.x);
    const Tensor y = numbers(c.y, float64, 3);
    const Tensor wanted = naive(c.a, c.b, c.out, x, y);
    for (const bool known : {true, false}) {
      if (!known && !c.unknown) continue;
      Graph g;
      const Expr A = g.placeholder("A", known ? c.x : unknown(c.x), float64);
      const Expr B = g.placeholder("B", known ? c.y : unknown(c.y), float64);
      const Expr result = einsum(equation, A, B);
      CHECK(result.rank() == wanted.rank());
      CHECK(value(result, {{A, x}, {B, y}}) == wanted);
    }
    check_linear(
        c.x, [&](const Expr& A) { return einsum(equation, A, y); }, c.unknown);
    check_linear(
        c.y, [&](const Expr& B) { return einsum(equation, x, B); }, c.unknown);
  }
  // One unknown size among joined letters is worked out; without an arrow, letters that occur once remain.
  Graph g;
  const Expr A = g.placeholder("A", {any, 3, 4}, float64);
  const Expr B = g.placeholder("B", {3, 4, 5}, float64);
  CHECK(value(einsum("aij,ijk", A, B), {{A, numbers({2, 3, 4})}, {B, numbers({3, 4, 5})}}) ==
        naive("aij", "ijk", "ak", numbers({2, 3, 4}), numbers({3, 4, 5})));
  CHECK(apply_to(numbers({3}), [](const Expr& X) { return dot(X, X); }).item() == 14);
  CHECK(apply_to(numbers({3}), [](const Expr& X) {
          return outer(X, Tensor({1, 2}, float64));
        }) == Tensor({{1, 2}, {2, 4}, {3, 6}}, float64));
}

TEST_CASE("results do not depend on the number of threads") {
  const Tensor x = build({301, 1003}, [](const Place& i) { return std::sin(static_cast<double>(i[0] * 7 + i[1])); });
  Graph g;
  const Expr X = g.placeholder("X", {301, 1003}, float64);
  for (const Expr& e :
       {transpose(X), sum_like(X, g.constant(zeros({1003}))), sum_like(X, g.constant(zeros({301, 1}))),
        sum_like(X, g.constant(zeros({}))), cumsum(X, 0), cumsum(X, 1), argmax(X, 0), argmin(X, 1), tile(X, {2, 3}),
        concat({X, X}, 1), pad(X, {{3, 4}, {5, 6}}), broadcast_to(expand_dims(X, 0), {2, 301, 1003})}) {
    CAPTURE(to_string(e));
    CHECK(value(e, {{X, x}}, 1) == value(e, {{X, x}}, 4));
  }
}
