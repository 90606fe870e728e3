// A kernel: elementwise steps over one space, and sums of what they give, as data. It says what is read and how, what
// is computed of it, and what is written. Element i of every step belongs to element i of the space, so what one step
// needs of another is in a register.
#pragma once

#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/dtype.h>
#include <gradus/core/tensor/shape.h>
#include <gradus/core/tensor/tensor.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Elements of a dense shape, the non-zeros of a csr pattern, or the elements of the rows that a rows or part value
/// holds.
struct LoopSpace {
  Layout layout = Layout::dense;   // rows for parts, too
  std::vector<std::int64_t> dims;  // of a dense shape without those of size 1; else of the whole matrix or table
  int source = -1;                 // the csr node whose non-zeros, or whose active columns, these are

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
    matrix,     // of a fold, as that says
  };
  Access access = Access::in_step;
  std::array<std::int64_t, Shape::max_rank> stride{};  // along the dims of the space; 0 where it is broadcast

  bool operator==(const LoopOperand&) const = default;
};

struct Kernel {
  /// A value that comes from memory.
  struct Read {
    int node;
    int step;   // the first that reads it,
    int input;  // as this input
    LoopOperand operand;
    std::vector<std::int64_t> stride;  // along `dims`; 0 where it is broadcast
    DType dtype;
    std::optional<double> value;  // of a constant that is one number
  };
  /// Of a step: the result of another, or what a read brings.
  struct Operand {
    bool computed;
    int index;
  };
  struct Step {
    int node;
    DType dtype;
    std::string formula;            // on x0, x1, ...
    std::vector<int> inputs;        // the numbers of those x
    std::vector<DType> types;       // theirs
    std::vector<Operand> operands;  // likewise
    bool stored;                    // whether somebody else reads the result
    int table;                      // the variable whose rows it replaces, or -1
  };
  /// A fold of a step's elements over the axes of `dims` from `axis` to before `end`. Where it begins with the first
  /// axis, it goes as far as the call does. A CPU's kernels have sums alone, and no matrices.
  struct Fold {
    int node;
    int step;
    DType dtype;
    gradus::Fold::By by;
    std::size_t axis, end;
    double scale;          // of the result
    int matrix_read = -1;  // which of `reads` is
    std::optional<gradus::Fold::Matrix> matrix = {};

    bool over_rows() const { return axis == 0; }
    std::int64_t width() const { return matrix ? matrix->columns : 1; }
  };

  LoopSpace space;
  /// Of the space, with neighbouring axes merged where every read steps through them as through one. How long the first
  /// one is, a run decides. Of the rows of a table, the first counts rows held.
  std::vector<std::int64_t> dims;
  std::vector<Read> reads;
  std::vector<Step> steps;
  std::vector<Fold> folds;

  bool looks_up() const;      // whether it must know which rows are held
  bool has_products() const;  // whether a fold has a matrix
  /// Elements of the space that belong to one step along the first axis; or to one along `axis` - 1.
  std::int64_t inner(std::size_t axis = 1) const;
};

/// The formulas of a kernel's steps as functions f0, f1, ... on x0, x1, ...: equal ones on equal types are one.
struct StepFunctions {
  std::string text;
  std::vector<int> of_step;  // the number of its function
};
/// `qualifiers` stand before each; `name_of` gives a type, that of what is in a register if `computed`.
StepFunctions step_functions(const Kernel& kernel, std::string_view qualifiers,
                             std::string_view (*name_of)(DType, bool computed));

/// What the functions are that formulas may use, in C++; the text of a kernel comes after it.
std::string cpu_prelude();
/// A function gradus_kernel in C++ (see CompiledKernel::Function). Equal texts compute the same.
std::string cpu_text(const Kernel& kernel);
/// The same for rows of a table that are as wide as the function is told; empty for a kernel of anything else, or one
/// that sums.
std::string any_width_text(const Kernel& kernel);
/// Whether that text has a loop for rows as wide as the kernel's alone.
bool has_own_loop(const Kernel& kernel);

}  // namespace gradus
