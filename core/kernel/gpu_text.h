// The text of a kernel in CUDA C++: the steps' formulas, as cpu_text.cpp has them, in loops that threads share. Shapes
// are written into it, but for the leading axis: what depends on how many rows or non-zeros there are is an argument.
#pragma once

#include <gradus/core/kernel/kernel.h>

#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// What a pointer among the kernel's arguments shows.
struct GpuArgument {
  enum class What : std::uint8_t {
    read,       // the elements of a node
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

struct GpuText {
  /// How threads go over the elements.
  enum class Form : std::uint8_t {
    elements,  // no folds: each takes the next
    warps,     // a few threads of a warp take a row
    blocks,    // a block takes a piece of a row
    columns,   // a block takes a piece of neighbouring rows whose elements lie side by side
  };
  Form form = Form::elements;
  int lanes = 1;        // warps: threads a row; columns: threads side by side; elements: values in a pack
  bool packed = false;  // elements: whether 16 bytes are read at once where all is aligned
  int at_once = 0;      // warps, columns: neighbouring rows that a thread takes, where folds have matrices
  bool split = false;   // blocks, columns: whether a row has several pieces
  std::int64_t rows = 0, length = 0;  // of folds: so many rows of so many elements, unless a pattern says it
  std::string text;
  std::vector<GpuArgument> arguments;  // pointers, after the numbers that the form needs:
  // elements: n, whole packs of lanes elements; warps: rows, elements a row; blocks, columns: rows, elements a row,
  // pieces a row, elements a piece

  /// Rows that a block has side by side.
  std::int64_t neighbours() const {
    return form == Form::columns ? lanes * std::int64_t{at_once == 0 ? 1 : at_once} : 1;
  }
  /// Elements that are a piece of a row, if it has so many.
  std::int64_t piece_length(std::int64_t row_length) const;
};

GpuText gpu_text(const Kernel& kernel);

/// Whether a kernel may fold so many rows of so many elements by matrices too; side by side: as Form::columns has them.
bool takes_matrices(std::int64_t rows, std::int64_t length, bool side_by_side);
/// The registers of a row's sums, one for each column of a matrix, and how many a kernel may have at most.
constexpr std::int64_t registers_of_row(std::int64_t columns, DType dtype) {
  return columns * static_cast<std::int64_t>(size_of(dtype)) / 4;
}
inline constexpr std::int64_t most_sums = 32;

/// "gr_Sum", for folds; and what kernel_prelude.h folds the terms in.
std::string_view fold_name(gradus::Fold::By by);
std::string_view fold_type(const Kernel::Fold& fold);
/// A number as CUDA C++ has it, infinities too.
std::string double_text(double x);

}  // namespace gradus
