// Axes as users write them, negative ones counted from the end, made into axes from 0. Every op that takes an
// axis comes through here, so that all of them refuse in the same words.
#pragma once

#include <gradus/core/graph/op.h>
#include <gradus/ops/ops.h>

#include <string>
#include <string_view>

namespace gradus {

/// `axis` counted from 0. Throws TypeError, naming the op, where a tensor of that rank has no such axis.
int resolve_axis(std::string_view op, int axis, int rank);
/// The same for input i of a type rule, which the message shows under the name `operand`.
int resolve_axis(std::string_view op, int axis, const OpInputs& in, int i = 0, std::string_view operand = "x");

/// "axes -2 to 1", for messages; "no axes" for a scalar.
std::string axes_of_rank(int rank);

}  // namespace gradus
