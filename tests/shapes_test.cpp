// The structural ops: values against plain loops over indices, on empty, size-1 and odd shapes of ranks 0 to 5;
// gradients by their adjoints (these ops are linear, so <f(x), u> = <x, f'(u)> to rounding, and the gradient of the
// gradient by u is f again); shapes that only the run knows; random nodes; and the words of every refusal.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/session.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace gradus;

namespace {

using Place = std::vector<std::int64_t>;

Place unravel(std::int64_t position, const Shape& shape) {
  Place index(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

double at(const Tensor& x, const Place& index) {
  std::int64_t position = 0;
  for (int axis = 0; axis < x.rank(); ++axis)
    position = position * x.shape()[axis] + index[static_cast<std::size_t>(axis)];
  return x.stored_value(position);
}

// The tensor whose element at each index is f(index).
template <class F>
Tensor build(const Shape& shape, F&& f, DType dtype = float64) {
  return Tensor::make<double>(shape,
                              [&](std::span<double> out) {
                                for (std::size_t i = 0; i < out.size(); ++i)
                                  out[i] = f(unravel(static_cast<std::int64_t>(i), shape));
                              })
      .cast(dtype);
}

// Numbers that are all different (but for bool) and small enough for exact sums in every dtype.
Tensor numbers(const Shape& shape, DType dtype = float64, std::int64_t start = 1) {
  std::int64_t next = start;
  return build(
      shape, [&](const Place&) { return static_cast<double>(dtype == boolean ? next++ % 3 == 0 : next++); }, dtype);
}

Tensor value(const Expr& expr, const Feeds& feeds = {}, int threads = 0) {
  Session session(expr.graph(), Device::cpu(), {.threads = threads});
  return session.run(expr, feeds);
}

// What f makes of x, by a graph of one placeholder; the type inferred must be the type computed.
template <class F>
Tensor apply_to(const Tensor& x, F&& f, const Shape* declared = nullptr) {
  Graph g;
  const Expr X = g.placeholder("X", declared != nullptr ? *declared : x.shape(), x.dtype());
  const Expr y = f(X);
  const Tensor result = value(y, {{X, x}});
  CHECK(y.dtype() == result.dtype());
  CHECK(matches(y.shape(), result.shape()));
  if (declared == nullptr) CHECK(y.shape() == result.shape());
  return result;
}

Shape unknown(const Shape& shape) {
  Shape out = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) out = out.with(axis, any);
  return out;
}

using Function = std::function<Expr(const Expr&)>;

// Gradients of first and second order of a linear f, with the dimensions of x known and not.
void check_linear(const Shape& shape, const Function& f, bool also_unknown = true) {
  for (const bool known : {true, false}) {
    if (!known && !also_unknown) continue;
    CAPTURE(to_string(shape));
    CAPTURE(known);
    Graph g;
    const Expr X = g.placeholder("X", known ? shape : unknown(shape), float64);
    const Expr v = g.placeholder("v", known ? shape : unknown(shape), float64);
    const Expr y = f(X);
    const Expr u = g.placeholder("u", y.shape(), float64);
    const Expr loss = reduce_sum(y * u);
    const Expr dx = gradients(loss, {X})[0];
    const Expr du = gradients(reduce_sum(dx * v), {u})[0];
    Session session(g);
    const Tensor x = numbers(shape);
    const Tensor dy = numbers(session.run(y, {{X, x}}).shape(), float64, -3);
    const Tensor direction = numbers(shape, float64, 5);
    const Tensor dx_value = session.run(dx, {{X, x}, {u, dy}});
    CHECK(dx_value.shape() == shape);
    CHECK(session.run(reduce_sum(dx * X), {{X, x}, {u, dy}}).item() ==
          doctest::Approx(session.run(loss, {{X, x}, {u, dy}}).item()));
    CHECK(allclose(session.run(du, {{X, x}, {u, dy}, {v, direction}}), session.run(y, {{X, direction}})));
  }
}

// "(X, shapes_test.cpp:14)".
std::string source(std::string_view name, int line) { return fmt::format("({}, shapes_test.cpp:{})", name, line); }

template <class E, class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

const std::vector<DType> all_dtypes = {float32, float64, int32, int64, boolean};

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

TEST_CASE("transpose in any order, of any rank") {
  const std::vector<std::pair<Shape, std::vector<int>>> cases = {
      {{}, {}},
      {{5}, {}},
      {{0, 3}, {}},
      {{1, 7}, {}},
      {{3, 5}, {}},
      {{33, 65}, {1, 0}},
      {{70, 1100}, {1, 0}},
      {{2, 3, 4}, {0, 2, 1}},
      {{2, 3, 4}, {2, 0, 1}},
      {{2, 3, 4}, {1, 0, 2}},
      {{2, 3, 4}, {-1, 1, 0}},
      {{40, 3, 50}, {2, 1, 0}},
      {{2, 3, 4, 5}, {3, 1, 0, 2}},
      {{2, 1, 4, 3, 2}, {4, 3, 1, 0, 2}},
      {{2, 3, 0, 3, 2}, {4, 3, 1, 0, 2}},
  };
  for (const auto& row : cases) {
    const Shape& shape = row.first;
    const auto& perm = row.second;
    CAPTURE(to_string(shape));
    std::vector<int> order = perm;
    for (int axis = shape.rank() - 1; perm.empty() && axis >= 0; --axis) order.push_back(axis);
    Place dims;
    for (int& axis : order) {
      axis = axis < 0 ? axis + shape.rank() : axis;
      dims.push_back(shape[axis]);
    }
    for (const DType dtype : all_dtypes) {
      const Tensor x = numbers(shape, dtype);
      const Tensor wanted = build(
          Shape(dims),
          [&](const Place& index) {
            Place from(index.size());
            for (std::size_t k = 0; k < index.size(); ++k) from[static_cast<std::size_t>(order[k])] = index[k];
            return at(x, from);
          },
          dtype);
      CHECK(apply_to(x, [&](const Expr& X) { return transpose(X, perm); }) == wanted);
    }
    if (shape.rank() > 0 && shape.size() < 1000) check_linear(shape, [&](const Expr& X) { return transpose(X, perm); });
  }
}

TEST_CASE("transpose of csr stays csr; of rows it becomes dense") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, any}, float64);
  const Expr y = transpose(X);
  CHECK(y.layout() == Layout::csr);
  Session session(g);
  for (const Tensor& x : {Tensor({{0, 1, 0, 2}, {0, 0, 0, 0}, {3, 0, 0, 4}}, float64), zeros({2, 3}, float64),
                          zeros({0, 3}, float64), zeros({3, 0}, float64)}) {
    const Tensor result = session.run(y, {{X, x.to_csr()}});
    CHECK(result.layout() == Layout::csr);
    result.pattern()->check();
    CHECK(result.to_dense() == apply_to(x, [](const Expr& D) { return transpose(D); }));
  }

  const Expr i = g.placeholder("i", {any}, int32);
  const Expr u = g.placeholder("u", {any, 2, 3}, float64);
  const Expr rows = scatter_add(i, u, {5, 2, 3});
  REQUIRE(rows.layout() == Layout::rows);
  for (const std::vector<int>& perm : {std::vector<int>{2, 1, 0}, {0, 2, 1}, {1, 0, 2}})
    for (const Tensor& index : {Tensor({4, 1}, int32), zeros({0}, int32)}) {
      const Expr out = transpose(rows, perm);
      CHECK(out.layout() == Layout::dense);
      const Tensor updates = numbers({index.dim(0), 2, 3});
      CHECK(session.run(out, {{i, index}, {u, updates}}) ==
            apply_to(session.run(rows, {{i, index}, {u, updates}}).to_dense(),
                     [&](const Expr& D) { return transpose(D, perm); }));
    }
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
  CHECK(sum_like(A, B) == A);
  CHECK(broadcast_like(A, B) == A);
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

TEST_CASE("what does not fit is refused in these words") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.placeholder("X", {2, 3});
  const Expr U = g.placeholder("U", {any, 3});
  const Expr S = g.sparse_placeholder("S", {4, 3});
  const Expr I = g.placeholder("I", {4}, int32);
  const Expr Z = g.placeholder("Z", {2, 0});
  const Expr c = g.placeholder("c", {});
  const Expr D = g.placeholder("D", {2, 3}, float64);
  const Expr B = g.placeholder("B", {2, 3}, boolean);
  const std::string x = "[2, 3] " + source("X", line);
  const std::string u = "[?, 3] " + source("U", line + 1);
  const std::string sparse = "csr " + source("S", line + 2);
  const auto type_error = [](const std::function<void()>& f) { return refusal<TypeError>(f); };
  const auto value_error = [](const std::function<void()>& f) { return refusal<ValueError>(f); };

  CHECK(type_error([&] { reshape(X, {4, 2}); }) == "reshape: x is " + x + "; 6 elements do not fit [4, 2]");
  CHECK(type_error([&] { reshape(X, {4, any}); }) == "reshape: x is " + x + "; 6 elements do not fit [4, ?]");
  CHECK(type_error([&] {
          reshape(X, {any, any});
        }) == "reshape: x is " + x + "; [?, ?] leaves 2 dimensions open, and only one can be worked out");
  CHECK(type_error([&] { reshape(U, {4, 2}); }) == "reshape: x is " + u + "; no multiple of 3 elements fits [4, 2]");
  CHECK(type_error([&] { reshape(S, {12}); }) ==
        "reshape: x is " + sparse + "; only dense operands fit, and to_dense(x) writes the zeros out");
  CHECK(type_error([&] { expand_dims(X, 3); }) ==
        "expand_dims: no axis 3 can be added; x is " + x + " and takes a new one at -3 to 2");
  CHECK(type_error([&] { squeeze(X, 0); }) == "squeeze: axis 0 cannot go; x is " + x + " and only axes of size 1 can");
  CHECK(type_error([&] { squeeze(U); }) ==
        "squeeze: x is " + u + "; name the axes to drop, since an unknown dimension may be 1 in one run only");
  CHECK(type_error([&] { squeeze(X, 2); }) == "squeeze: there is no axis 2; rank 2 has axes -2 to 1");
  CHECK(type_error([&] { squeeze(X, {1, -1}); }) == "squeeze: axis -1 is named twice; rank 2 has axes -2 to 1");
  CHECK(type_error([&] { transpose(X, {0, 3}); }) == "transpose: perm names axis 3; x is " + x + " with axes -2 to 1");
  CHECK(type_error([&] { transpose(X, {0}); }) == "transpose: perm [0] names 1 axes; x is " + x + " with 2");
  CHECK(type_error([&] { transpose(X, {0, -2}); }) == "transpose: perm [0, -2] names axis 0 twice; x is " + x);
  CHECK(type_error([&] {
          transpose(S, {0, 1});
        }) ==
        "transpose: x is " + sparse + "; perm [0, 1] leaves it as it is, and a csr matrix takes only the reversal");
  CHECK(type_error([&] {
          broadcast_to(X, {2, 4});
        }) == "broadcast_to: x is " + x + ", which does not broadcast to [2, 4]");
  CHECK(type_error([&] {
          broadcast_to(X, {any, 3});
        }) == "broadcast_to: [?, 3] has unknown dimensions; broadcast_like takes a shape from the run");
  CHECK(type_error([&] { broadcast_like(X, I); }) ==
        "broadcast_like: x is " + x + " but like is [4] " + source("I", line + 3) + ", to which it does not broadcast");
  CHECK(type_error([&] { sum_like(X, I); }) ==
        "sum_like: x is " + x + " but like is [4] " + source("I", line + 3) + ", which does not broadcast to it");
  CHECK(type_error([&] { sum_like(B, c); }) ==
        "sum_like: x is bool " + source("B", line + 7) + "; numbers can be summed, so cast(x, int64) first");
  CHECK(type_error([&] { fill({2}, X); }) == "fill: value is " + x + "; one number, [], is taken");
  CHECK(type_error([&] { fill({any}, c); }) ==
        "fill: [?] has unknown dimensions; broadcast_like takes a shape from the run");
  CHECK(type_error([&] { ones_like(S); }) ==
        "ones_like: x is " + sparse + "; only dense operands fit, and to_dense(x) writes the zeros out");
  CHECK(value_error([&] { range(g, 0, 1, 0); }) ==
        "range: start 0, limit 1, delta 0; all must be finite, and delta not 0");

  CHECK(type_error([&] {
          concat({X, Z}, 0);
        }) == "concat: value 1 is [2, 0] " + source("Z", line + 4) + " but value 0 is " + x +
                  "; sizes 0 and 3 of axis 1 differ");
  CHECK(type_error([&] {
          concat({X, D}, 0);
        }) == "concat: value 1 is float64 " + source("D", line + 6) + " but value 0 is float32 " + source("X", line) +
                  "; dtypes differ");
  CHECK(type_error([&] {
          concat({X, c}, 0);
        }) == "concat: value 1 is [] " + source("c", line + 5) + " but value 0 is " + x + "; ranks differ");
  CHECK(type_error([&] { concat({X, X}, 2); }) == "concat: there is no axis 2; value 0 is " + x + " with axes -2 to 1");
  CHECK(type_error([&] {
          concat({c, c}, 0);
        }) == "concat: there is no axis 0; value 0 is [] " + source("c", line + 5) + " with no axes");
  CHECK(type_error([&] {
          concat({X, S}, 0);
        }) == "concat: value 1 is " + sparse + "; only dense operands fit, and to_dense(value 1) writes the zeros out");
  const int here = __LINE__ + 1;  // not within CHECK: compilers differ in the lines of a macro's arguments
  const auto concat_nothing = [] { concat(std::vector<Expr>{}, 0); };
  CHECK(type_error(concat_nothing) ==
        fmt::format("concat: no values (shapes_test.cpp:{}); at least one is needed", here));
  CHECK(type_error([&] {
          stack({X, Z});
        }) == "stack: value 1 is [2, 0] " + source("Z", line + 4) + " but value 0 is " + x +
                  "; sizes 0 and 3 of axis 1 differ");
  CHECK(type_error([&] { stack({X, X}, 3); }) == "stack: there is no axis 3; rank 3 has axes -3 to 2");
  CHECK(type_error([&] { split(X, 2, 1); }) == "split: x is " + x + "; 2 parts do not divide axis 1 evenly");
  CHECK(type_error([&] { split(U, 2); }) == "split: x is " + u + "; axis 0 must be known when the graph is built");
  CHECK(value_error([&] { split(X, 0); }) == "split: 0 parts are asked of x, which is " + x + "; at least 1 is right");
  const int there = __LINE__ + 1;
  const auto split_tensor = [] { split(zeros({2}), 2); };
  CHECK(type_error(split_tensor) ==
        fmt::format("split: x (shapes_test.cpp:{}) is a number or a tensor of no graph; graph.constant(x) makes it a "
                    "node",
                    there));
  CHECK(type_error([&] { slice(X, {0, 2}, {1, 2}); }) == "slice: begin 2 and size 2 leave axis 1; x is " + x);
  CHECK(type_error([&] { slice(X, {-1, 0}, {1, 1}); }) == "slice: begin -1 and size 1 leave axis 0; x is " + x);
  CHECK(type_error([&] {
          slice(X, {0}, {1, 1});
        }) == "slice: begin [0] and size [1, 1] name 1 and 2 axes; x is " + x + " with 2");
  CHECK(type_error([&] { pad(X, {{0, 1}}); }) == "pad: paddings {{0, 1}} name 1 axes; x is " + x + " with 2");
  CHECK(type_error([&] {
          pad(X, {{0, -1}, {0, 0}});
        }) == "pad: paddings {{0, -1}, {0, 0}} cannot be added to x, which is " + x +
                  "; counts are at least 0 and fit 64 bits");
  CHECK(type_error([&] {
          pad(I, {{1, 1}}, 0.5);
        }) == "pad: value 0.5 does not fit x, which is int32 " + source("I", line + 3));
  CHECK(type_error([&] { tile(X, {2}); }) == "tile: multiples [2] name 1 axes; x is " + x + " with 2");
  CHECK(type_error([&] {
          tile(X, {2, -1});
        }) == "tile: x is " + x + "; multiple -1 of axis 1 is not a count that fits");
  CHECK(type_error([&] { one_hot(X, 3); }) ==
        "one_hot: indices is float32 " + source("X", line) + "; int32 or int64 is right");
  CHECK(value_error([&] { one_hot(I, -1); }) == "one_hot: depth is -1; at least 0 is right");
  CHECK(type_error([&] { cumsum(X, 2); }) == "cumsum: there is no axis 2; x is " + x + " with axes -2 to 1");
  CHECK(type_error([&] { cumsum(B); }) ==
        "cumsum: x is bool " + source("B", line + 7) + "; numbers can be summed, so cast(x, int64) first");
  CHECK(type_error([&] { argmax(Z, 1); }) ==
        "argmax: x is [2, 0] " + source("Z", line + 4) + "; axis 1 is empty and has no extreme");
  CHECK(type_error([&] { argmin(X, -3); }) == "argmin: there is no axis -3; x is " + x + " with axes -2 to 1");
  CHECK(type_error([&] { random_uniform_like(I); }) ==
        "random_uniform_like: x is int32 " + source("I", line + 3) + "; float32 or float64 is right");
  CHECK(value_error([&] { dropout(X, 1); }) == "dropout: rate is 1; it lies in [0, 1)");
  CHECK(value_error([&] { dropout(X, std::nan("")); }) == "dropout: rate is nan; it lies in [0, 1)");

  CHECK(type_error([&] { einsum("ij,ij->i", X, Z); }) ==
        "einsum: a is " + x + " but b is [2, 0] " + source("Z", line + 4) + "; sizes 3 and 0 of j differ");
  CHECK(type_error([&] { einsum("ijk,ij->i", X, X); }) == "einsum: a is " + x + " but \"ijk\" names 3 axes");
  CHECK(value_error([&] { einsum("ij,jk,kl->il", X, X); }) ==
        "einsum: \"ij,jk,kl->il\" names 3 operands; two are right");
  CHECK(value_error([&] { einsum("ii,ij->i", X, X); }) ==
        "einsum: \"ii,ij->i\" names i twice in \"ii\"; once is right");
  CHECK(value_error([&] { einsum("i1,ij->i", X, X); }) ==
        "einsum: \"i1,ij->i\" contains '1'; letters, one comma and -> are right");
  CHECK(value_error([&] { einsum("ij,ij->k", X, X); }) == "einsum: \"ij,ij->k\" asks for k, which no operand has");
  CHECK(type_error([&] { dot(X, c); }) == "dot: a is " + x + "; a vector is right");
  CHECK(type_error([&] { outer(I, X); }) == "outer: b is " + x + "; a vector is right");

  const Expr V = g.placeholder("V", {any});
  const Expr W = g.placeholder("W", {any});
  const int at_v = __LINE__ - 2;
  Session session(g);
  CHECK(type_error([&] {
          session.run(dot(V, W), {{V, zeros({1})}, {W, zeros({3})}});
        }) ==
        "dot: a is [1] " + source("V", at_v) + " but b is [3] " + source("W", at_v + 1) + "; sizes 1 and 3 differ");
  const Expr E = g.placeholder("E", {any, any, any});
  const int at_e = __LINE__ - 1;
  CHECK(type_error([&] { einsum("abi,ij->abj", E, X); }) ==
        "einsum: a is [?, ?, ?] " + source("E", at_e) + " and b is " + x +
            "; the product takes a reshape to [?, ?, 3], in which one unknown size can be worked out, not more");
}

TEST_CASE("nodes of functions that make several carry the line of the call") {
  Graph g;
  const Expr X = g.placeholder("X", {2, 2});
  const auto line_of = [](const Expr& e) { return e.where().line; };
  const int line = __LINE__ + 1;
  const Expr stacked = stack({X, X});
  const Expr joined = concat({X, X}, 0);
  const Expr part = split(X, 2)[1];
  const Expr dropped = dropout(X, 0.5);
  const Expr product = einsum("ij,kj->ik", X, X);
  CHECK(line_of(stacked) == line);
  CHECK(line_of(stacked.input(1)) == line);
  CHECK(line_of(joined) == line + 1);
  CHECK(line_of(part) == line + 2);
  CHECK(line_of(dropped) == line + 3);
  CHECK(line_of(dropped.input(0)) == line + 3);
  CHECK(line_of(product) == line + 4);
  CHECK(line_of(product.input(1)) == line + 4);
}
