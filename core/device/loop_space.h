// What the elements of an elementwise step on an accelerator are: those of a dense shape, the non-zeros of a csr
// pattern, or those of the rows that a rows or part value holds. Steps over one space can be one kernel, in which
// thread i computes element i of each: what it reads in step with them need not go through memory.
#pragma once

#include <gradus/core/plan/program.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

namespace gradus {

struct LoopSpace {
  Layout layout = Layout::dense;   // rows for parts, too
  std::vector<std::int64_t> dims;  // of a dense shape without those of size 1; else of the whole matrix or table
  int source = -1;                 // the csr node whose non-zeros, or whose touched columns, these are

  auto operator<=>(const LoopSpace&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 sees a 0 in it
};

/// How a step reads an operand.
struct LoopOperand {
  enum class Access : std::uint8_t {
    in_step,    // element i
    number,     // one number for all
    strided,    // a dense operand of a dense result, broadcast
    gathered,   // a dense operand of a csr result, by row and column
    looked_up,  // a table beside rows, by the rows held
    narrow,     // rows narrower than the result's
  };
  Access access = Access::in_step;
  std::array<std::int64_t, Shape::max_rank> stride{};  // along the dims of the space; 0 where it is broadcast

  bool operator==(const LoopOperand&) const = default;
};

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

/// The space of an elementwise node with a formula, or of the terms of a fold; none for other nodes, and for folds
/// along axes in the middle. A sparse node whose non-zeros nobody knows before the run has a space of its own.
std::optional<LoopSpace> loop_space(const Program& program, int node);
/// How an elementwise node, or a fold's term, of this type reads an operand.
LoopOperand loop_operand(const Type& operand, const Type& result);
/// Of a fold that has a space.
FoldRows fold_rows(const Program& program, int node);

/// What the node's op says of itself.
Fold fold_of(const Program& program, int node);
/// The types of its inputs as a loop reads them.
std::vector<Type> loop_inputs(const Program& program, int node);

}  // namespace gradus
