// Whether an op is linear in some of its inputs: then it may be computed of parts of a sum, and summed after.
#pragma once

#include <gradus/core/graph/op.h>

#include <span>

namespace gradus {

/// Of an elementwise op, in those of its inputs that the bits of `varied` name, together. It is asked by trying, on
/// numbers that no other op would pass.
bool is_linear(const Op& op, std::span<const Type> types, const Type& out, unsigned varied);

}  // namespace gradus
