// The space of a step, and how it reads its operands (core/kernel/kernel.h). Steps over one space can be one kernel:
// what they read in step with each other need not go through memory.
#pragma once

#include <gradus/core/kernel/kernel.h>
#include <gradus/core/plan/program.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace gradus {

/// How what a fold makes one number of, a row, lies in its space.
struct FoldRows {
  enum class Of : std::uint8_t {
    equal,    // rows of one length, one after the other
    columns,  // likewise, but element e of row r lies at e * count + r: the first axes are folded
    pattern,  // the rows of a csr pattern
  };
  Of of = Of::equal;
  std::int64_t count = 1;

  bool operator==(const FoldRows&) const = default;
};

/// The axes of a space for elements of this type; of a dense one those of size 1 are none.
std::vector<std::int64_t> dims_of(const Type& type);
/// The space of an elementwise node with a formula, or of the terms of a fold; none for other nodes, and for folds
/// along axes in the middle. A sparse node whose non-zeros nobody knows before the run has a space of its own.
std::optional<LoopSpace> loop_space(const Program& program, int node);
/// How an elementwise node, or a fold's term, of this type reads an operand.
LoopOperand loop_operand(const Type& operand, const Type& result);
/// Of a fold that has a space.
FoldRows fold_rows(const Program& program, int node);

/// Whether the node of a kernel folds: it is not computed element by element.
bool is_fold(const Program& program, int node);
/// What the node's op says of itself.
Fold fold_of(const Program& program, int node);
/// The axes of its space, [first, end), that a fold goes over, where those are neighbours: none are at the end.
struct FoldedAxes {
  std::size_t axis, end;
};
std::optional<FoldedAxes> folded_axes(const Program& program, int node);
/// The types of its inputs as a loop reads them.
std::vector<Type> loop_inputs(const Program& program, int node);

}  // namespace gradus
