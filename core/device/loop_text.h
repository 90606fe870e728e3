// The CUDA text of a kernel that computes elementwise nodes over one space (loop_space.h), and folds what they give. It
// is made of the formulas of the nodes' ops. Shapes are written into it, but for the leading axis: what depends on how
// many rows or non-zeros there are is an argument.
#pragma once

#include <gradus/core/plan/loop_space.h>
#include <gradus/core/plan/memory.h>

#include <span>
#include <string>
#include <vector>

namespace gradus {

/// What a pointer among the kernel's arguments shows.
struct LoopArgument {
  enum class What : std::uint8_t {
    read,       // the numbers of a node
    written,    // the result of a node of the kernel
    table,      // of a node whose rows replace those of a variable: that variable
    parts,      // of a fold: one for each piece of its rows, to be folded once more
    row_start,  // of the space's pattern, and so on
    column,
    row,
    held_rows,
  };
  What what = What::read;
  int node = -1;
};

struct LoopText {
  /// How threads go over the elements.
  enum class Form : std::uint8_t {
    elements,  // no folds: each takes the next
    warps,     // a few threads of a warp take a row
    blocks,    // a block takes a piece of a row
    columns,   // a block takes a piece of neighbouring rows whose elements lie side by side
  };
  Form form = Form::elements;
  int lanes = 1;  // elements: numbers of 16 bytes that are read at once where all is aligned; warps: threads a row;
                  // columns: rows a block
  bool split = false;  // blocks, columns: whether a row has several pieces
  std::string name;
  std::string text;
  std::vector<LoopArgument> arguments;  // pointers, after the numbers that the form needs:
  // elements: n, whole packs of lanes elements; warps: rows, elements a row; blocks, columns: rows, elements a row,
  // pieces a row, elements a piece
};

/// Elements that a block folds at the least; a row, or neighbouring ones, of no more are folded at once. A single row
/// has nothing else to keep the device busy.
inline constexpr std::int64_t fold_piece(std::int64_t rows) { return rows == 1 ? 1024 : 8192; }

/// The kernel of `nodes`, all of this space.
LoopText loop_text(const Program& program, const LoopSpace& space, std::span<const int> nodes,
                   const MemoryPlan& memory);

/// "gr_Sum", for folds; and what kernel_prelude.h folds numbers of this dtype in.
std::string fold_name(Fold::By by);
std::string fold_type(Fold::By by, DType dtype);
/// A number as CUDA C++ has it, infinities too.
std::string double_text(double x);

}  // namespace gradus
