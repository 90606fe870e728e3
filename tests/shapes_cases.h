// For the tests of the shape ops: tensors built by a function of the index, graphs of one placeholder, and gradients
// by their adjoints. These ops are linear, so <f(x), u> = <x, f'(u)> to rounding, and the gradient of that by u is f.
#pragma once

#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <functional>
#include <string>
#include <vector>

namespace gradus::shapes {

using Place = std::vector<std::int64_t>;

inline Place unravel(std::int64_t position, const Shape& shape) {
  Place index(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

inline double at(const Tensor& x, const Place& index) {
  std::int64_t position = 0;
  for (int axis = 0; axis < x.rank(); ++axis)
    position = position * x.shape()[axis] + index[static_cast<std::size_t>(axis)];
  return x.stored_value(position);
}

// The tensor whose element at each index is f(index).
template <class F>
inline Tensor build(const Shape& shape, F&& f, DType dtype = float64) {
  return Tensor::make<double>(shape,
                              [&](std::span<double> out) {
                                for (std::size_t i = 0; i < out.size(); ++i)
                                  out[i] = f(unravel(static_cast<std::int64_t>(i), shape));
                              })
      .cast(dtype);
}

// Numbers that are all different (but for bool) and small enough for exact sums in every dtype.
inline Tensor numbers(const Shape& shape, DType dtype = float64, std::int64_t start = 1) {
  std::int64_t next = start;
  return build(
      shape, [&](const Place&) { return static_cast<double>(dtype == boolean ? next++ % 3 == 0 : next++); }, dtype);
}

inline Tensor value(const Expr& expr, const Feeds& feeds = {}, int threads = 0) {
  Session session(expr.graph(), Device::cpu(), {.threads = threads});
  return session.run(expr, feeds);
}

// What f makes of x, by a graph of one placeholder; the type inferred must be the type computed.
template <class F>
inline Tensor apply_to(const Tensor& x, F&& f, const Shape* declared = nullptr) {
  Graph g;
  const Expr X = g.placeholder("X", declared != nullptr ? *declared : x.shape(), x.dtype());
  const Expr y = f(X);
  const Tensor result = value(y, {{X, x}});
  CHECK(y.dtype() == result.dtype());
  CHECK(matches(y.shape(), result.shape()));
  if (declared == nullptr) CHECK(y.shape() == result.shape());
  return result;
}

inline Shape unknown(const Shape& shape) {
  Shape out = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) out = out.with(axis, any);
  return out;
}

using Function = std::function<Expr(const Expr&)>;

// Gradients of first and second order of a linear f, with the dimensions of x known and not.
inline void check_linear(const Shape& shape, const Function& f, bool also_unknown = true) {
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
inline std::string source(std::string_view name, std::string_view file, int line) {
  return fmt::format("({}, {}:{})", name, file, line);
}

inline const std::vector<DType> all_dtypes = {float32, float64, int32, int64, boolean};

}  // namespace gradus::shapes
