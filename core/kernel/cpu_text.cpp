// The text of a kernel in C++. Loops over the inner axes have fixed bounds and strides, and an operand that is the same
// along the last axis is read once for it.
#include <gradus/core/at.h>
#include <gradus/core/kernel/kernel.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace gradus {

namespace {

using Access = LoopOperand::Access;

// Each iteration is independent of the others, also where a result takes the place of an operand. Short loops would be
// unrolled to scalars before they could become vectors.
constexpr std::string_view independent =
    "#ifdef __clang__\n#pragma clang loop vectorize(assume_safety) unroll(disable)\n"
    "#else\n#pragma GCC ivdep\n#pragma GCC unroll 1\n#endif\n";

// Of rows that are shorter than this, where it is some of them, so many elements are computed at a time.
constexpr std::int64_t chunk = 16;

constexpr std::int64_t run_block = 1024;  // of runs.h: more a WholeSum does not take at a time

// How far before they are read rows of tables are fetched; such of one number take less time each.
constexpr std::int64_t rows_ahead = 32, numbers_ahead = 64;

// In memory a bool is a byte.
std::string_view type_text(DType dtype, bool computed = false) {
  switch (dtype) {
    case DType::float32: return "float";
    case DType::float64: return "double";
    case DType::int32: return "int";
    case DType::int64: return "gr_int64";
    case DType::boolean: break;
  }
  return computed ? "bool" : "unsigned char";
}

// Numbers that formulas treat apart, such as the usual exponents: those stand in the text. Others are read, so that a
// kernel serves any rate.
bool is_usual(double x) {
  constexpr double usual[] = {-1, -0.5, 0, 0.5, 1, 2};
  return std::find(std::begin(usual), std::end(usual), x) != std::end(usual) && !(x == 0 && std::signbit(x));
}

// Loops of rows of any width have one of their own for these.
constexpr std::int64_t usual_widths[] = {8, 16, 32};

constexpr std::string_view arguments =
    "(std::int64_t n, const void* const* in, void* const* out, const int* held, std::int64_t last, std::int64_t width)";

class CpuText {
 public:
  CpuText(const Kernel& kernel, bool any_width)
      : kernel_(kernel), last_(kernel.dims.size() - 1), any_width_(any_width && last_ > 0) {
    std::vector<std::int64_t> steps(kernel.dims.size(), 1);
    for (std::size_t a = last_; a-- > 0;) steps[a] = steps[a + 1] * kernel.dims[a + 1];
    in_step_ = std::move(steps);
    has_whole_sum_ =
        std::any_of(kernel.folds.begin(), kernel.folds.end(), [&](const auto& fold) { return sums_all(fold); });
    in_chunks_ = goes_in_chunks();
    inner_ = in_chunks_ ? last_ - 1 : last_;
    in_pieces_ = has_whole_sum_ && last_ > 0 && !in_chunks_ && kernel.dims[last_] > run_block;
    constexpr std::int64_t elements = 512;  // of a block: they stay in the L1 cache
    block_ = last_ == 0 ? run_block : std::max<std::int64_t>(1, elements / kernel.inner());
  }

  std::string write() {
    const StepFunctions functions =
        step_functions(kernel_, "inline", [](DType dtype, bool computed) { return type_text(dtype, computed); });
    function_of_ = functions.of_step;
    text_ += functions.text;
    text_ += any_width_ ? fmt::format("[[gnu::always_inline]] inline void rows{} {{\n", arguments)
                        : fmt::format("}}\nextern \"C\" void gradus_kernel{} {{\n", arguments);
    std::size_t written = 0;
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k) {
      const std::string_view type = type_text(kernel_.reads[k].dtype);
      const Kernel::Read& read = kernel_.reads[k];
      if (read.operand.access != Access::number) {
        text_ += fmt::format("  const {0}* p{1} = static_cast<const {0}*>(in[{1}]);\n", type, k);
      } else if (read.value && is_usual(*read.value)) {
        text_ += fmt::format("  const {} a{} = {};\n", type, k, *read.value);
      } else {
        text_ += fmt::format("  const {0} a{1} = *static_cast<const {0}*>(in[{1}]);\n", type, k);
      }
    }
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const Kernel::Step& step = kernel_.steps[m];
      const std::string_view type = type_text(step.dtype);
      if (step.stored) text_ += fmt::format("  {0}* y{1} = static_cast<{0}*>(out[{2}]);\n", type, m, written++);
      if (step.table >= 0) text_ += fmt::format("  {0}* t{1} = static_cast<{0}*>(out[{2}]);\n", type, m, written++);
    }
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      const std::string_view type = type_text(fold.dtype);
      text_ += fmt::format("  {0}* w{1} = static_cast<{0}*>(out[{2}]);\n", type, f, written++);
      if (sums_all(fold))
        text_ += fmt::format("  WholeSum<{}> r{};\n", type, f);
      else if (fold.over_rows())
        text_ += fmt::format("  RowsSum<{}, {}> r{};\n", type, kernel_.inner(fold.end), f);
      if (is_buffered(fold)) text_ += fmt::format("  {} s{}[{}];\n", type, f, block_ * kernel_.inner());
    }
    loops();
    text_ += "}\n";
    if (any_width_) choose_width();
    return text_;
  }

 private:
  // How an operand's elements follow one another along the last two axes.
  enum class Along : std::uint8_t { as_one, same, tiles, repeats, other };
  Along along(const Kernel::Read& read) const {
    const std::vector<std::int64_t>& stride = stride_of(read);
    const std::int64_t before = stride[last_ - 1], last = stride[last_];
    if (before == 0 && last == 0) return Along::same;
    if (last == 1 && before == kernel_.dims[last_]) return Along::as_one;
    if (read.dtype == DType::boolean) return Along::other;
    if (last == 1 && before == 0) return Along::tiles;
    return last == 0 && before == 1 ? Along::repeats : Along::other;
  }
  bool is_laid_out(const Kernel::Read& read) const {
    return in_chunks_ && read.operand.access != Access::number &&
           (along(read) == Along::tiles || along(read) == Along::repeats);
  }

  // Whether the last axis is too short for vectors, and with the one before it is not.
  bool goes_in_chunks() const {
    if (any_width_ || last_ < 2 || kernel_.dims[last_] >= chunk || chunk % kernel_.dims[last_] != 0 ||
        kernel_.inner(last_ - 1) % chunk != 0 || (has_whole_sum_ && kernel_.inner(last_ - 1) > run_block))
      return false;
    return std::all_of(kernel_.reads.begin(), kernel_.reads.end(), [&](const Kernel::Read& read) {
      return read.operand.access == Access::number || along(read) != Along::other;
    });
  }

  const std::vector<std::int64_t>& stride_of(const Kernel::Read& read) const {
    return read.operand.access == Access::in_step ? in_step_ : read.stride;
  }

  // The loop with a width that the compiler knows, where it is a usual one.
  void choose_width() {
    constexpr std::string_view call = "return rows(n, in, out, held, last, ";
    text_ += fmt::format("}}\nextern \"C\" void gradus_kernel{} {{\n  switch (width) {{\n", arguments);
    for (const std::int64_t width : usual_widths) text_ += fmt::format("    case {0}: {1}{0});\n", width, call);
    text_ += fmt::format("    default: {}width);\n  }}\n}}\n", call);
  }

  // A size, or a stride.
  std::string length(std::int64_t steps) const {
    return any_width_ && steps == kernel_.dims[1] ? "width" : fmt::format("gr_int64({})", steps);
  }

  static std::string indent(std::size_t depth) { return std::string(2 * depth, ' '); }

  // Where the row at hand of a read, or of what is written in step, begins: the sum of what its steps along the axes
  // of the outer loops come to.
  std::string row(const std::vector<std::int64_t>& stride, bool looked_up) const {
    std::string sum;
    for (std::size_t a = 0; a < inner_; ++a)
      if (stride[a] != 0)
        sum +=
            fmt::format(" + {} * {}", a == 0 && looked_up ? "row" : fmt::format("gr_int64(c{})", a), length(stride[a]));
    return sum;
  }

  bool steps_along(const Kernel::Read& read) const {
    return in_chunks_ ? along(read) != Along::same : stride_of(read)[last_] != 0;
  }

  void loops() {
    const bool by_rows = kernel_.looks_up();
    if (by_rows && last_ == 0 && kernel_.folds.empty()) return numbers_of_rows();
    if (!kernel_.folds.empty())
      text_ += fmt::format(
          "  for (gr_int64 b = 0; b < n; b += {0}) {{\n  const gr_int64 end = b + {0} < n ? b + {0} : n;\n", block_);
    for (std::size_t a = 0; a <= inner_; ++a) {
      const std::string in = indent(a + 1);
      if (a == inner_) begin_row(in);
      if (a == inner_ && in_chunks_) {
        begin_chunk(in);
      } else if (a == inner_ && in_pieces_) {
        text_ += fmt::format("{}for (gr_int64 j = first; j < next; ++j) {{\n", in);
      } else if (a == 0 && !kernel_.folds.empty()) {
        text_ += fmt::format("{0}for (gr_int64 {1} = b; {1} < end; ++{1}) {{\n", in, counter(0));
      } else {
        text_ += fmt::format("{0}for ({1} {2} = 0; {2} < {3}; ++{2}) {{\n", in,
                             a == 0 || any_width_ ? "gr_int64" : "int", counter(a), bound(a));
      }
      if (a > 0 || !by_rows) continue;
      text_ += fmt::format("{}  const gr_int64 row = held[{}];\n", in, counter(0));
      prefetch(in + "  ");
    }
    body(indent(inner_ + 2 + (in_chunks_ ? 1 : 0)));
    if (in_chunks_) text_ += indent(inner_ + 2) + "}\n";
    for (std::size_t a = inner_ + 1; a-- > 0;) {
      for (std::size_t f = 0; f < kernel_.folds.size() && a == 0; ++f)
        if (adds_itself(kernel_.folds[f])) text_ += fmt::format("{}r{}.end_row();\n", indent(2), f);
      text_ += indent(a + 1) + "}\n";
      if (a == inner_) end_row(indent(a + 1));
    }
    if (!kernel_.folds.empty()) add_folds();
  }

  // Of tables of a number a row so many at a time: brought together, computed with in vectors, and put back.
  void numbers_of_rows() {
    text_ += "  const auto block = [&](gr_int64 b, int size) __attribute__((always_inline)) {\n";
    std::string gathered, put;
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k) {
      const Kernel::Read& read = kernel_.reads[k];
      if (read.operand.access == Access::number) continue;
      const std::string_view type = type_text(read.dtype);
      if (stride_of(read)[0] == 0) {
        text_ += fmt::format("    const {} a{} = *p{};\n", type, k, k);
      } else if (read.operand.access == Access::looked_up) {
        text_ += fmt::format("    {} q{}[{}];\n", type, k, chunk);
        gathered += fmt::format("      q{}[j - b] = p{}[row];\n", k, k);
      } else {
        text_ += fmt::format("    const {}* q{} = p{} + b;\n", type, k, k);
      }
    }
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const Kernel::Step& step = kernel_.steps[m];
      const std::string_view type = type_text(step.dtype);
      if (step.stored) text_ += fmt::format("    {}* z{} = y{} + b;\n", type, m, m);
      if (step.table >= 0) text_ += fmt::format("    {} u{}[{}];\n", type, m, chunk);
      if (step.table >= 0) put += fmt::format("      t{}[row] = u{}[j];\n", m, m);
    }
    text_ += "    for (gr_int64 j = b; j < b + size; ++j) {\n      const gr_int64 row = held[j];\n";
    prefetch("      ");
    text_ += fmt::format("{}    }}\n{}    for (int j = 0; j < size; ++j) {{\n", gathered, independent);
    body("      ");
    text_ += fmt::format(
        "    }}\n    for (int j = 0; j < size; ++j) {{\n      const gr_int64 row = held[b + j];\n{0}    }}\n  }};\n"
        "  gr_int64 b = 0;\n  for (; b + {1} <= n; b += {1}) block(b, {1});\n  if (b < n) block(b, int(n - b));\n",
        put, chunk);
  }

  // Sums what a block of rows along the first axis has brought.
  void add_folds() {
    const std::int64_t inner = kernel_.inner();
    std::string at_end;
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      // [rows, length, after] of each step along the first axis, or [rows, after], which go on in the next.
      const std::int64_t after = kernel_.inner(fold.end),
                         rows = inner / (fold.over_rows() ? after : kernel_.inner(fold.axis));
      const std::int64_t length = inner / rows / after;
      const std::string_view type = type_text(fold.dtype);
      const std::string from =
          is_buffered(fold) ? fmt::format("s{}", f) : fmt::format("y{} + b * gr_int64({})", fold.step, inner);
      if (fold.over_rows()) {
        at_end += fmt::format("  r{}.finish({}, w{});\n", f, fold.scale, f);
        if (sums_all(fold) || adds_itself(fold)) continue;
        text_ += fmt::format("  r{}.add({}, (end - b) * {});\n", f, from, rows);
      } else if (after == 1) {
        text_ += fmt::format("  sum_rows<{}, {}>({}, (end - b) * {}, {}, w{} + b * {});\n", type, length, from, rows,
                             fold.scale, f, rows);
      } else {
        text_ += fmt::format("  sum_middle<{}, {}, {}>({}, (end - b) * {}, {}, w{} + b * {});\n", type, length, after,
                             from, rows, fold.scale, f, rows * after);
      }
    }
    text_ += "  }\n" + at_end;
  }

  // A fold of all that a call computes; one whose elements are kept until a block of rows is there, since nobody else
  // stores them; one to whose sums the loop itself adds: rows that RowsSum does not keep in registers.
  bool sums_all(const Kernel::Fold& fold) const { return fold.over_rows() && fold.end == kernel_.dims.size(); }
  bool is_buffered(const Kernel::Fold& fold) const {
    return !kernel_.steps[at(fold.step)].stored && !sums_all(fold) && !adds_itself(fold);
  }
  bool adds_itself(const Kernel::Fold& fold) const {
    const std::int64_t row = kernel_.inner();
    return fold.over_rows() && fold.end == 1 && !sums_all(fold) && (row > 64 || (row & (row - 1)) != 0);
  }

  std::string counter(std::size_t axis) const { return axis == last_ ? "j" : fmt::format("c{}", axis); }
  std::string bound(std::size_t axis) const {
    return axis == 0 ? "n" : any_width_ ? "width" : std::to_string(kernel_.dims[axis]);
  }

  // Before the innermost loop: what is the same along it, and where its rows begin.
  void begin_row(const std::string& in) {
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k) {
      const Kernel::Read& read = kernel_.reads[k];
      if (read.operand.access == Access::number) continue;
      const std::string_view type = type_text(read.dtype);
      const bool looked_up = read.operand.access == Access::looked_up;
      const std::string at = fmt::format("p{}{}", k, row(stride_of(read), looked_up));
      if (is_laid_out(read)) text_ += fmt::format("{}{} t{}[{}];\n", in, type, k, chunk);
      if (is_laid_out(read) && along(read) == Along::tiles) {
        text_ += fmt::format("{}tile<{}>({}, t{});\n", in, kernel_.dims[last_], at, k);
        continue;
      }
      text_ += steps_along(read) ? fmt::format("{}const {}* q{} = {};\n", in, type, k, at)
                                 : fmt::format("{}const {} a{} = *({});\n", in, type, k, at);
    }
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const Kernel::Step& step = kernel_.steps[m];
      const std::string_view type = type_text(step.dtype);
      if (step.stored) text_ += fmt::format("{}{}* z{} = y{}{};\n", in, type, m, m, row(in_step_, false));
      if (step.table >= 0) text_ += fmt::format("{}{}* u{} = t{}{};\n", in, type, m, m, row(in_step_, true));
    }
    if (in_pieces_)
      text_ += fmt::format(
          "{0}for (gr_int64 first = 0; first < {1}; first += {2}) {{\n"
          "{0}const gr_int64 next = first + {2} < {1} ? first + {2} : {1};\n",
          in, bound(last_), run_block);
    std::vector<std::int64_t> in_block = in_step_;
    in_block[0] = 0;
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      const std::string e = fmt::format("{}{}* e{} = ", in, type_text(fold.dtype), f);
      if (sums_all(fold)) text_ += fmt::format("{}r{}.room();\n", e, f);
      if (adds_itself(fold)) text_ += fmt::format("{}r{}.part{};\n", e, f, row(in_block, false));
      if (is_buffered(fold))
        text_ += fmt::format("{}s{} + (c0 - b) * {}{};\n", e, f, in_step_[0], row(in_block, false));
    }
    if (!in_chunks_) text_ += independent;
  }

  // After it.
  void end_row(const std::string& in) {
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f)
      if (sums_all(kernel_.folds[f]))
        text_ += fmt::format("{}r{}.took({});\n", in, f,
                             last_ == 0   ? "end - b"
                             : in_pieces_ ? "next - first"
                                          : std::to_string(kernel_.inner(inner_)));
    if (in_pieces_) text_ += in + "}\n";
  }

  void begin_chunk(const std::string& in) {
    text_ += fmt::format("{0}for (int m = 0; m < {1}; m += {2}) {{\n", in, kernel_.inner(inner_), chunk);
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k)
      if (is_laid_out(kernel_.reads[k]) && along(kernel_.reads[k]) == Along::repeats)
        text_ += fmt::format("{0}  repeat<{1}>(q{2} + m / {1}, t{2});\n", in, kernel_.dims[last_], k);
    text_ += fmt::format("{0}{1}  for (int j = 0; j < {2}; ++j) {{\n", independent, in, chunk);
  }

  void body(const std::string& in) {
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k) {
      const Kernel::Read& read = kernel_.reads[k];
      if (read.operand.access == Access::number || !steps_along(read)) continue;
      text_ += fmt::format("{}const {} a{} = {}{}[{}];\n", in, type_text(read.dtype), k, is_laid_out(read) ? "t" : "q",
                           k, is_laid_out(read) ? "j" : element());
    }
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const Kernel::Step& step = kernel_.steps[m];
      std::string operands;
      for (const Kernel::Operand& operand : step.operands)
        operands += fmt::format("{}{}{}", operands.empty() ? "" : ", ", operand.computed ? "v" : "a", operand.index);
      text_ +=
          fmt::format("{}const {} v{} = f{}({});\n", in, type_text(step.dtype, true), m, function_of_[m], operands);
    }
    // All is read before anything is written: a result may lie where an operand does.
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      if (kernel_.steps[m].stored) text_ += fmt::format("{}z{}[{}] = v{};\n", in, m, element(), m);
      if (kernel_.steps[m].table >= 0) text_ += fmt::format("{}u{}[{}] = v{};\n", in, m, element(), m);
    }
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      const std::string value = fmt::format("v{};\n", fold.step);
      if (sums_all(fold))
        text_ += fmt::format("{}e{}[{}{}] = {}", in, f, element(),
                             last_ == 0   ? " - b"
                             : in_pieces_ ? " - first"
                                          : "",
                             value);
      if (adds_itself(fold)) text_ += fmt::format("{}e{}[{}] += {}", in, f, element(), value);
      if (is_buffered(fold)) text_ += fmt::format("{}e{}[{}] = {}", in, f, element(), value);
    }
  }

  // Of the row at hand, the element that the innermost loop is at.
  std::string_view element() const { return in_chunks_ ? "m + j" : "j"; }

  // The rows of tables that come soon; those that are written, too, where no read asks for them.
  void prefetch(const std::string& in) {
    std::string rows;
    const auto add = [&](std::string_view pointer, std::size_t index, std::int64_t step) {
      rows += fmt::format("{0}prefetch_row({1}{2} + soon * {3}, {3});\n", in, pointer, index, length(step));
    };
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k)
      if (kernel_.reads[k].operand.access == Access::looked_up && kernel_.reads[k].stride[0] != 0)
        add("p", k, kernel_.reads[k].stride[0]);
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const int table = kernel_.steps[m].table;
      const auto reads = [&](const Kernel::Read& read) {
        return read.node == table && read.operand.access == Access::looked_up;
      };
      if (table >= 0 && std::none_of(kernel_.reads.begin(), kernel_.reads.end(), reads)) add("t", m, in_step_[0]);
    }
    if (rows.empty()) return;
    text_ += fmt::format("{0}const gr_int64 soon = held[{1} + {2} < last ? {1} + {2} : last];\n{3}", in, counter(0),
                         last_ == 0 ? numbers_ahead : rows_ahead, rows);
  }

  const Kernel& kernel_;
  std::size_t last_;                   // axis
  bool any_width_;                     // the last axis is as long as an argument says
  bool has_whole_sum_ = false;         // a fold sums all that a call computes
  bool in_chunks_ = false;             // the last two axes are gone along as one
  bool in_pieces_ = false;             // the last axis is longer than a WholeSum takes
  std::size_t inner_ = 0;              // the first axis of the innermost loop
  std::vector<std::int64_t> in_step_;  // strides
  std::int64_t block_ = 1;             // steps along the first axis, before what they bring is summed
  std::vector<int> function_of_;       // by step
  std::string text_;
};

}  // namespace

std::string cpu_text(const Kernel& kernel) { return CpuText(kernel, false).write(); }

std::string any_width_text(const Kernel& kernel) {
  const std::size_t axes = kernel.dims.size();
  const bool possible = kernel.looks_up() && kernel.folds.empty() && (axes == 1 || (axes == 2 && kernel.dims[1] > 1));
  return possible ? CpuText(kernel, true).write() : std::string();
}

bool has_own_loop(const Kernel& kernel) {
  return kernel.dims.size() == 1 ||
         std::find(std::begin(usual_widths), std::end(usual_widths), kernel.dims[1]) != std::end(usual_widths);
}

}  // namespace gradus
