// The value of one node, computed alone and at once: on one thread, into a tensor of its own.
#pragma once

#include <gradus/core/graph/op.h>

#include <cstdint>
#include <span>

namespace gradus {

/// What the node's op makes of these inputs, whose types are those of the node's. An input that only lends its shape
/// may be null. `run` is the number of the run that random numbers are drawn for.
Tensor evaluate(const Expr& node, std::span<const Tensor* const> inputs, std::uint64_t run = 0);

}  // namespace gradus
