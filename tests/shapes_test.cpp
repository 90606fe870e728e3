// The ops that move numbers: values against plain loops over indices, on empty, size-1 and odd shapes of ranks 0 to
// 5, gradients of first and second order, and shapes that only the run knows.
#include "shapes_cases.h"

#include <algorithm>

using namespace gradus;
using namespace gradus::shapes;

namespace {

// "(X, shapes_test.cpp:14)".
std::string source(std::string_view name, int line) { return shapes::source(name, "shapes_test.cpp", line); }

}  // namespace

TEST_CASE("reshape keeps the order of the numbers and works out one dimension") {
  for (const DType dtype : all_dtypes) {
    const Tensor x = numbers({2, 3, 4}, dtype);
    CHECK(apply_to(x, [](const Expr& X) { return reshape(X, {4, any}); }) == x.reshape({4, 6}));
    CHECK(apply_to(x, [](const Expr& X) { return reshape(X, {24}); }) == x.reshape({24}));
  }
  CHECK(apply_to(numbers({1, 1}), [](const Expr& X) { return reshape(X, {}); }).item() == 1);
  CHECK(apply_to(numbers({0, 3}), [](const Expr& X) { return reshape(X, {any, 7}); }).shape() == Shape{0, 7});
  CHECK(apply_to(numbers({0, 3}), [](const Expr& X) { return reshape(X, {5, 0, 2}); }).shape() == Shape{5, 0, 2});
  const Shape open{any, 4};
  CHECK(apply_to(
            numbers({6, 4}),
            [](const Expr& X) {
              return reshape(X, {any, 3, 2});
            },
            &open) == numbers({4, 3, 2}));
  check_linear({2, 6}, [](const Expr& X) { return reshape(X, {3, any}); });
  check_linear({}, [](const Expr& X) { return reshape(X, {1, 1}); });
}

TEST_CASE("reshape_like takes the shape from the run") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.placeholder("X", {any}, float64);
  const Expr L = g.placeholder("L", {any, 2});
  const Expr y = reshape_like(X, L);
  CHECK(y.shape() == Shape{any, 2});
  Session session(g);
  CHECK(session.run(y, {{X, numbers({6})}, {L, zeros({3, 2})}}) == numbers({3, 2}));
  CHECK(refusal<TypeError>([&] {
          session.run(y, {{X, numbers({6})}, {L, zeros({2, 2})}});
        }) == fmt::format("reshape_like: x is [6] {} but like is [2, 2] {}; 6 elements do not fit [2, 2]",
                          source("X", line), source("L", line + 1)));
}

TEST_CASE("expand_dims and squeeze add and drop axes of size 1") {
  const Tensor x = numbers({2, 3});
  const auto expanded = [&](int axis) {
    return apply_to(x, [&](const Expr& X) { return expand_dims(X, axis); }).shape();
  };
  CHECK(expanded(0) == Shape{1, 2, 3});
  CHECK(expanded(1) == Shape{2, 1, 3});
  CHECK(expanded(2) == Shape{2, 3, 1});
  CHECK(expanded(-1) == Shape{2, 3, 1});
  CHECK(expanded(-3) == Shape{1, 2, 3});
  const Tensor thin = numbers({1, 2, 1, 3, 1});
  CHECK(apply_to(thin, [](const Expr& X) { return squeeze(X); }) == x);
  CHECK(apply_to(thin, [](const Expr& X) { return squeeze(X, {-1, 0}); }) == x.reshape({2, 1, 3}));
  CHECK(apply_to(numbers({1}), [](const Expr& X) { return squeeze(X); }).shape() == Shape{});
  const Shape open{any, any, 1};
  CHECK(apply_to(
            numbers({2, 1, 1}),
            [](const Expr& X) {
              return squeeze(X, {1, 2});
            },
            &open) == numbers({2}));
  check_linear({2, 3}, [](const Expr& X) { return expand_dims(X, 1); });
  check_linear({2, 1, 3}, [](const Expr& X) { return squeeze(X, 1); });
}

TEST_CASE("broadcast_to repeats, sum_like adds up") {
  const std::vector<std::pair<Shape, Shape>> cases = {
      {{}, {}},
      {{}, {3, 2}},
      {{1}, {40000}},
      {{3}, {2, 3}},
      {{3, 1}, {3, 4}},
      {{1, 4}, {3, 4}},
      {{3, 1}, {3, 0}},
      {{1, 0}, {3, 0}},
      {{2, 1, 3}, {2, 5, 3}},
      {{1, 5, 1}, {2, 5, 3}},
      {{5, 1}, {2, 5, 3}},
      {{2, 3}, {2, 3}},
      {{1, 2, 1, 3, 1}, {2, 2, 2, 3, 2}},
      {{3, 1}, {3, 20000}},
  };
  for (const auto& row : cases) {
    const Shape& shape = row.first;
    const auto& target = row.second;
    CAPTURE(to_string(shape));
    CAPTURE(to_string(target));
    const auto source_of = [from = shape](const Place& index) {
      Place own(index.end() - from.rank(), index.end());
      for (int axis = 0; axis < from.rank(); ++axis)
        if (from[axis] == 1) own[static_cast<std::size_t>(axis)] = 0;
      return own;
    };
    for (const DType dtype : all_dtypes) {
      const Tensor x = numbers(shape, dtype);
      const Tensor wanted = build(
          target, [&](const Place& index) { return at(x, source_of(index)); }, dtype);
      CHECK(apply_to(x, [&](const Expr& X) { return broadcast_to(X, target); }) == wanted);
      Graph g;
      const Expr X = g.placeholder("X", unknown(shape), dtype);
      const Expr L = g.placeholder("L", unknown(target));
      CHECK(value(broadcast_like(X, L), {{X, x}, {L, zeros(target)}}) == wanted);
      if (dtype == boolean) continue;
      const Expr Y = g.placeholder("Y", unknown(target), dtype);
      const Tensor y = numbers(target, dtype);
      std::vector<double> sums(static_cast<std::size_t>(shape.size()), 0.0);
      const auto strides = row_major_strides(shape);
      for (std::int64_t i = 0; i < y.size(); ++i) {
        const Place own = source_of(unravel(i, target));
        std::int64_t position = 0;
        for (std::size_t axis = 0; axis < own.size(); ++axis) position += own[axis] * strides[axis];
        sums[static_cast<std::size_t>(position)] += y.stored_value(i);
      }
      const Tensor summed = Tensor::from(sums, shape).cast(dtype);
      CHECK(allclose(value(sum_like(Y, X), {{Y, y}, {X, x}}), summed, 1e-6));
    }
    if (target.size() > 1000) continue;
    const Shape to = target;
    check_linear(shape, [&](const Expr& X) { return broadcast_to(X, to); });
    check_linear(shape, [&](const Expr& X) { return broadcast_like(X, X.graph().constant(zeros(to))); });
    const Shape from = shape;
    check_linear(target, [&](const Expr& Y) { return sum_like(Y, Y.graph().constant(zeros(from))); });
  }
}

TEST_CASE("sum_like of the shape it has keeps layouts and is no node where that is known") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.sparse_placeholder("X", {any, 3}, float64);
  const Expr L = g.placeholder("L", {any, 3});
  const Expr A = g.placeholder("A", {2, 3});
  const Expr B = g.placeholder("B", {2, 3});
  CHECK(same_node(sum_like(A, B), A));
  CHECK(same_node(broadcast_like(A, B), A));
  const Expr y = sum_like(X, L);
  CHECK(y.type() == Type{float64, {any, 3}, Layout::csr});
  const Tensor x = Tensor({{0, 1, 0}, {2, 0, 0}}, float64).to_csr();
  CHECK(value(y, {{X, x}, {L, zeros({2, 3})}}) == x);
  CHECK(refusal<TypeError>([&] {
          value(y, {{X, x}, {L, zeros({1, 3})}});
        }) ==
        fmt::format("sum_like: x is csr [2, 3] {} but like is [1, 3] {}; a sparse x keeps its shape, and reduce_sum "
                    "adds it up",
                    source("X", line), source("L", line + 1)));
}

TEST_CASE("fill, zeros_like, ones_like, shape_of, size_of, range") {
  Graph g;
  const Expr X = g.placeholder("X", {any, 3}, int32);
  const Expr c = g.placeholder("c", {}, float64);
  Session session(g);
  CHECK(session.run(fill({2, 2}, c), {{c, Tensor(7, float64)}}) == full({2, 2}, 7, float64));
  CHECK(session.run(fill({}, c), {{c, Tensor(7, float64)}}).item() == 7);
  CHECK(session.run(gradients(reduce_sum(fill({2, 2}, c)), {c})[0], {{c, Tensor(7, float64)}}).item() == 4);
  for (const std::int64_t n : {0, 1, 5}) {
    const Feed feed{X, zeros({n, 3}, int32)};
    CHECK(session.run(zeros_like(X), {feed}) == zeros({n, 3}, int32));
    CHECK(session.run(ones_like(X), {feed}) == ones({n, 3}, int32));
    CHECK(session.run(shape_of(X), {feed}) == Tensor({static_cast<double>(n), 3.0}, int64));
    CHECK(session.run(size_of(X), {feed}) == Tensor(static_cast<double>(3 * n), int64));
  }
  CHECK(session.run(shape_of(c), {{c, Tensor(7, float64)}}).shape() == Shape{0});
  const Expr sparse = g.sparse_placeholder("S", {any, 3});
  const Tensor none = session.run(zeros_like(sparse), {{sparse, eye(3).to_csr()}});
  CHECK(none.layout() == Layout::csr);
  CHECK(none.to_dense() == zeros({3, 3}));
  CHECK(session.run(size_of(sparse), {{sparse, eye(3).to_csr()}}).item() == 9);
  CHECK(session.run(range(g, 1, 6, 2)) == Tensor({1, 3, 5}));
  CHECK(session.run(range(g, 3, 0, -1, int64)) == Tensor({3, 2, 1}, int64));
  CHECK(session.run(range(g, 3, 0)).shape() == Shape{0});
}

TEST_CASE("concat, stack and split") {
  for (const DType dtype : all_dtypes) {
    Graph g;
    const Expr a = g.constant(numbers({2, 3}, dtype, 1));
    const Expr b = g.constant(numbers({2, 1}, dtype, 7));
    const Expr none = g.constant(numbers({2, 0}, dtype));
    const Tensor whole = value(concat({a, none, b}, 1));
    CHECK(whole == build(
                       {2, 4},
                       [&](const Place& i) {
                         return i[1] < 3 ? at(numbers({2, 3}, dtype, 1), i) : at(numbers({2, 1}, dtype, 7), {i[0], 0});
                       },
                       dtype));
    CHECK(value(concat({a, none, b}, -1)) == whole);
    CHECK(value(concat({a, a}, 0)) == build(
                                          {4, 3},
                                          [&](const Place& i) {
                                            return at(numbers({2, 3}, dtype, 1), {i[0] % 2, i[1]});
                                          },
                                          dtype));
    for (const int axis : {0, 1, 2, -1}) {
      const int place = axis < 0 ? 2 : axis;
      const Tensor stacked = value(stack({a, a, a}, axis));
      CHECK(stacked == build(
                           Shape{2, 3}.insert(place, 3),
                           [&](Place i) {
                             i.erase(i.begin() + place);
                             return at(numbers({2, 3}, dtype, 1), i);
                           },
                           dtype));
    }
    const std::vector<Expr> parts = split(a, 3, -1);
    REQUIRE(parts.size() == 3);
    for (std::int64_t j = 0; j < 3; ++j)
      CHECK(value(parts[static_cast<std::size_t>(j)]) == build(
                                                             {2, 1},
                                                             [&](const Place& i) {
                                                               return at(numbers({2, 3}, dtype, 1), {i[0], j});
                                                             },
                                                             dtype));
  }
  for (const int axis : {0, 1}) {
    check_linear({2, 3}, [&](const Expr& X) { return concat({X, X * 2.0, X}, axis); });
    check_linear({2, 3}, [&](const Expr& X) { return stack({X, X * 2.0}, axis); });
  }
  check_linear(
      {4, 2}, [](const Expr& X) { return split(X, 2)[1]; }, false);
}

TEST_CASE("slice and pad are each other's gradient") {
  const Tensor x = numbers({4, 3, 5});
  CHECK(apply_to(x, [](const Expr& X) {
          return slice(X, {1, 0, 2}, {2, -1, 3});
        }) == build({2, 3, 3}, [&](const Place& i) {
          return at(x, {i[0] + 1, i[1], i[2] + 2});
        }));
  CHECK(apply_to(x, [](const Expr& X) { return slice(X, {4, 0, 0}, {-1, 1, 1}); }).shape() == Shape{0, 1, 1});
  CHECK(apply_to(numbers({}), [](const Expr& X) { return slice(X, {}, {}); }).item() == 1);
  for (const DType dtype : all_dtypes) {
    const double around = dtype == boolean ? 1 : 9;
    const Tensor inner = numbers({2, 3}, dtype);
    CHECK(apply_to(inner,
                   [&](const Expr& X) {
                     return pad(X, {{1, 0}, {2, 3}}, around);
                   }) ==
          build(
              {3, 8},
              [&](const Place& i) {
                return i[0] >= 1 && i[1] >= 2 && i[1] < 5 ? at(inner, {i[0] - 1, i[1] - 2}) : around;
              },
              dtype));
  }
  CHECK(apply_to(numbers({0, 2}), [](const Expr& X) { return pad(X, {{1, 1}, {0, 0}}); }) == zeros({2, 2}, float64));
  check_linear({4, 3}, [](const Expr& X) { return slice(X, {1, 0}, {2, -1}); });
  check_linear({4, 3}, [](const Expr& X) { return slice(X, {2, 1}, {-1, 1}); });
  check_linear({4, 3}, [](const Expr& X) { return pad(X, {{1, 2}, {0, 1}}); });
  check_linear({4, 3}, [](const Expr& X) { return slice(pad(X, {{1, 2}, {0, 1}}), {2, 0}, {4, 2}); });
}

// Runs of 16, 32 and 64 bytes move as one; those beside them, and runs that begin in the middle of one, do not.
TEST_CASE("the last axis, of every short width, is moved whole") {
  for (const DType dtype : all_dtypes)
    for (std::int64_t k = 1; k <= 17; ++k) {
      CAPTURE(k);
      const Shape shape{3, 2, 5, k};
      const Tensor x = numbers(shape, dtype);
      CHECK(apply_to(x,
                     [](const Expr& X) {
                       return transpose(X, {0, 2, 1, 3});
                     }) ==
            build(
                {3, 5, 2, k},
                [&](const Place& i) {
                  return at(x, {i[0], i[2], i[1], i[3]});
                },
                dtype));
      CHECK(apply_to(x,
                     [&](const Expr& X) {
                       return slice(X, {1, 0, 2, 0}, {2, 2, 2, k});
                     }) ==
            build(
                {2, 2, 2, k},
                [&](const Place& i) {
                  return at(x, {i[0] + 1, i[1], i[2] + 2, i[3]});
                },
                dtype));
      CHECK(apply_to(x,
                     [&](const Expr& X) {
                       return slice(X, {1, 0, 2, k / 2}, {2, 2, 2, k - k / 2});
                     }) ==
            build(
                {2, 2, 2, k - k / 2},
                [&](const Place& i) {
                  return at(x, {i[0] + 1, i[1], i[2] + 2, i[3] + k / 2});
                },
                dtype));
      CHECK(apply_to(x,
                     [](const Expr& X) {
                       return concat({X, X}, 2);
                     }) ==
            build(
                {3, 2, 10, k},
                [&](const Place& i) {
                  return at(x, {i[0], i[1], i[2] % 5, i[3]});
                },
                dtype));
      CHECK(apply_to(x,
                     [](const Expr& X) {
                       return concat({X, X}, 3);
                     }) ==
            build(
                {3, 2, 5, 2 * k},
                [&](const Place& i) {
                  return at(x, {i[0], i[1], i[2], i[3] % k});
                },
                dtype));
      CHECK(apply_to(x,
                     [](const Expr& X) {
                       return tile(X, {1, 2, 1, 1});
                     }) ==
            build(
                {3, 4, 5, k},
                [&](const Place& i) {
                  return at(x, {i[0], i[1] % 2, i[2], i[3]});
                },
                dtype));
      CHECK(apply_to(x,
                     [&](const Expr& X) {
                       return broadcast_to(reshape(X, {3, 2, 5, 1, k}), {3, 2, 5, 4, k});
                     }) ==
            build(
                {3, 2, 5, 4, k},
                [&](const Place& i) {
                  return at(x, {i[0], i[1], i[2], i[4]});
                },
                dtype));
    }
}

TEST_CASE("tile repeats each axis") {
  const std::vector<std::pair<Shape, std::vector<std::int64_t>>> cases = {
      {{}, {}},
      {{3}, {2}},
      {{2, 3}, {3, 1}},
      {{2, 3}, {1, 4}},
      {{2, 3}, {2, 2}},
      {{2, 3}, {0, 2}},
      {{0, 3}, {2, 2}},
      {{1, 1}, {3, 300}},
      {{2, 1, 3}, {2, 3, 2}},
      {{2, 1, 2, 1, 3}, {2, 2, 1, 2, 2}},
  };
  for (const auto& row : cases) {
    const Shape& shape = row.first;
    const auto& multiples = row.second;
    CAPTURE(to_string(shape));
    Place dims;
    for (int axis = 0; axis < shape.rank(); ++axis)
      dims.push_back(shape[axis] * multiples[static_cast<std::size_t>(axis)]);
    for (const DType dtype : all_dtypes) {
      const Tensor x = numbers(shape, dtype);
      CHECK(apply_to(x, [&](const Expr& X) { return tile(X, multiples); }) ==
            build(
                Shape(dims),
                [&](Place i) {
                  for (int axis = 0; axis < x.rank(); ++axis) i[static_cast<std::size_t>(axis)] %= x.shape()[axis];
                  return at(x, i);
                },
                dtype));
    }
    if (std::find(multiples.begin(), multiples.end(), 0) == multiples.end())
      check_linear(shape, [&](const Expr& X) { return tile(X, multiples); });
  }
  // No copies at all: nothing of x is in y.
  CHECK(apply_to(numbers({2, 3}), [](const Expr& X) {
          return gradients(reduce_sum(tile(X, {0, 2})), {X})[0];
        }) == zeros({2, 3}, float64));
}
