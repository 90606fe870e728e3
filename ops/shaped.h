// Tensors of a shape that only the run knows, and random ones: a chapter of the index of ops (ops.h). Such a shape is
// an expression, int32 or int64 [rank], of shapes and constants: shape_of(x), 2 * shape_of(x). A plan works it out when
// it is made. One that depends on numbers which the run computes or is fed throws TypeError then.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/core/tensor/create.h>

#include <concepts>
#include <cstdint>
#include <optional>

namespace gradus {

namespace detail {
Expr zeros_of_shape(const Expr& shape, DType dtype, Location where);
Expr ones_of_shape(const Expr& shape, DType dtype, Location where);
Expr fill_of_shape(const Expr& shape, const Operand& value);
Expr reshape_to(const Operand& x, const Expr& shape);
Expr broadcast_to_shape(const Operand& x, const Expr& shape);
Expr normal_of_shape(const Expr& shape, const NormalOptions& options, Location where);
Expr truncated_of_shape(const Expr& shape, const NormalOptions& options, Location where);
Expr uniform_of_shape(const Expr& shape, const UniformOptions& options, Location where);
}  // namespace detail

// Templates, so that a braced list stays a Shape: zeros({2, 3}).

template <std::same_as<Expr> E>
Expr zeros(const E& shape, DType dtype = float32, Location where = Location::current()) {
  return detail::zeros_of_shape(shape, dtype, where);
}
template <std::same_as<Expr> E>
Expr ones(const E& shape, DType dtype = float32, Location where = Location::current()) {
  return detail::ones_of_shape(shape, dtype, where);
}
/// One number everywhere.
template <std::same_as<Expr> E>
Expr fill(const E& shape, const Operand& value) {
  return detail::fill_of_shape(shape, value);
}
/// The ops of these names, with a shape of the run.
template <std::same_as<Expr> E>
Expr reshape(const Operand& x, const E& shape) {
  return detail::reshape_to(x, shape);
}
template <std::same_as<Expr> E>
Expr broadcast_to(const Operand& x, const E& shape) {
  return detail::broadcast_to_shape(x, shape);
}
/// start, start + delta, ... below limit (above it for a negative delta): numbers of one dtype, at least one of them an
/// expression, of shapes and constants as above. range(0, size_of(x)) counts the elements of x.   [], [], [] -> [count]
Expr range(const Operand& start, const Operand& limit, const Operand& delta = 1);

/// Random numbers drawn anew each run (options as for the tensors of the same name); no gradient.
Expr random_normal(Graph& graph, const Shape& shape, const NormalOptions& options = {},
                   Location where = Location::current());
Expr truncated_normal(Graph& graph, const Shape& shape, const NormalOptions& options = {},
                      Location where = Location::current());
Expr random_uniform(Graph& graph, const Shape& shape, const UniformOptions& options = {},
                    Location where = Location::current());
template <std::same_as<Expr> E>
Expr random_normal(const E& shape, const NormalOptions& options = {}, Location where = Location::current()) {
  return detail::normal_of_shape(shape, options, where);
}
template <std::same_as<Expr> E>
Expr truncated_normal(const E& shape, const NormalOptions& options = {}, Location where = Location::current()) {
  return detail::truncated_of_shape(shape, options, where);
}
template <std::same_as<Expr> E>
Expr random_uniform(const E& shape, const UniformOptions& options = {}, Location where = Location::current()) {
  return detail::uniform_of_shape(shape, options, where);
}
/// Uniform numbers in [0, 1) in the shape and dtype of x.
Expr random_uniform_like(const Operand& x, std::uint64_t seed = 0);

/// The value of an expression of shapes and constants, where these are known: what the rules above ask for. None where
/// a run computes it.
std::optional<Tensor> known_value(const Expr& expr);

}  // namespace gradus
