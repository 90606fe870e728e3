// The text of a kernel in C++, without headers. Loops over the inner axes have fixed bounds and strides, and an operand
// that is the same along the last axis is read once for it. No multiplication is fused with an addition (compiler.cpp),
// so that the numbers are those of the ops' own row kernels.
#include <gradus/core/at.h>
#include <gradus/core/kernel/formula_functions.h>
#include <gradus/core/kernel/kernel.h>
#include <gradus/core/kernel/kernel_headers_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

namespace gradus {

namespace {

using Access = LoopOperand::Access;

// What vector_math.h and the formulas take from headers.
constexpr std::string_view before_math = R"text(
#define __device__
namespace std {
using uint8_t = unsigned char;
using uint32_t = unsigned;
using uint64_t = unsigned long;
using int64_t = long;
template <class To, class From> [[gnu::always_inline]] constexpr To bit_cast(const From& x) { return __builtin_bit_cast(To, x); }
template <class A, class B> inline constexpr bool is_same_v = false;
template <class A> inline constexpr bool is_same_v<A, A> = true;
template <class T> struct numeric_limits;
template <> struct numeric_limits<float> {
  static constexpr float infinity() { return __builtin_inff(); }
  static constexpr float quiet_NaN() { return __builtin_nanf(""); }
  static constexpr float min() { return __FLT_MIN__; }
};
template <> struct numeric_limits<double> {
  static constexpr double infinity() { return __builtin_inf(); }
  static constexpr double quiet_NaN() { return __builtin_nan(""); }
  static constexpr double min() { return __DBL_MIN__; }
};
[[gnu::always_inline]] inline float abs(float x) { return __builtin_fabsf(x); }
[[gnu::always_inline]] inline double abs(double x) { return __builtin_fabs(x); }
[[gnu::always_inline]] inline float copysign(float x, float y) { return __builtin_copysignf(x, y); }
[[gnu::always_inline]] inline double copysign(double x, double y) { return __builtin_copysign(x, y); }
[[gnu::always_inline]] inline double pow(double x, double y) { return __builtin_pow(x, y); }
}
)text";

constexpr std::string_view after_math = R"text(
namespace {
#define ONE(name, f, d) \
  inline float name(float x) { return f(x); } \
  inline double name(double x) { return d(x); }
#define TWO(name, f, d) \
  inline float name(float x, float y) { return f(x, y); } \
  inline double name(double x, double y) { return d(x, y); }
#define OURS(name) ONE(name, gradus::math::name, gradus::math::name)
OURS(exp) OURS(expm1) OURS(log) OURS(log1p) OURS(tanh)
ONE(sqrt, __builtin_sqrtf, __builtin_sqrt) ONE(fabs, __builtin_fabsf, __builtin_fabs)
ONE(floor, __builtin_floorf, __builtin_floor) ONE(ceil, __builtin_ceilf, __builtin_ceil)
ONE(rint, __builtin_rintf, __builtin_rint) ONE(sin, __builtin_sinf, __builtin_sin)
ONE(cos, __builtin_cosf, __builtin_cos) ONE(tan, __builtin_tanf, __builtin_tan) ONE(erf, __builtin_erff, __builtin_erf)
TWO(fmod, __builtin_fmodf, __builtin_fmod) TWO(copysign, __builtin_copysignf, __builtin_copysign)
TWO(pow, gradus::math::pow, gradus::math::pow)
ONE(gr_sigmoid, gradus::math::sigmoid, gradus::math::sigmoid)
ONE(gr_softplus, gradus::math::softplus, gradus::math::softplus)
ONE(gr_log_sigmoid, gradus::math::log_sigmoid, gradus::math::log_sigmoid)
// A bool that comes from memory is a byte, and chooses by bits: of the plain expression compilers make no vectors.
template <int bytes> struct Bits { using type = unsigned long long; };
template <> struct Bits<4> { using type = unsigned; };
template <> struct Bits<1> { using type = unsigned char; };
template <class T> [[gnu::always_inline]] inline T gr_choose(unsigned char chosen, T a, T b) {
  using B = typename Bits<sizeof(T)>::type;
  const B mask = static_cast<B>(-static_cast<B>(chosen));
  return __builtin_bit_cast(T, static_cast<B>((__builtin_bit_cast(B, a) & mask) | (__builtin_bit_cast(B, b) & static_cast<B>(~mask))));
}
)text";

// Sums as ops/reduce_kernel.h makes them: of rows by runs.h; over rows, in the dtype for so many rows, then in double.
constexpr std::string_view folds = R"text(
struct Sum {
  using Wide = double;
  static constexpr double start = 0;
  static constexpr bool in_lanes = true;
  template <class T> [[gnu::always_inline]] static T combine(T a, T b) { return a + b; }
  template <class V> [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) { a += b; }
};
template <class T> [[gnu::always_inline]] inline T scaled(double sum, double scale) {
  return static_cast<T>(scale == 1 ? sum : sum * scale);
}
template <class T, int n> inline void sum_rows(const T* x, long rows, double scale, T* y) {
  double total[64];
  for (long first = 0; first < rows; first += 64) {
    const long count = rows - first < 64 ? rows - first : 64;
    gradus::runs::rows<Sum, T>(x + first * n, count, n, total);
    for (long r = 0; r < count; ++r) y[first + r] = scaled<T>(total[r], scale);
  }
}
template <class T, int n> struct RowsSum {
  static constexpr int depth = 32, most = 16384 / n > 1 ? 16384 / n : 1;  // rows, of T, and of one double sum
  T part[n];
  double total[n], all[n];
  int deep = 0, rows = 0;
  bool has_total = false, has_all = false;
  RowsSum() { clear(); }
  void clear() { for (int j = 0; j < n; ++j) part[j] = 0; }
  void add(const T* x, long count) {
    while (count > 0) {
      long take = depth - deep < most - rows ? depth - deep : most - rows;
      if (take > count) take = count;
      if constexpr (n <= 64 && (n & (n - 1)) == 0) {  // in registers
        using Row [[gnu::vector_size(n * sizeof(T))]] = T;
        Row sum, next;
        __builtin_memcpy(&sum, part, sizeof sum);
        for (long r = 0; r < take; ++r) {
          __builtin_memcpy(&next, x + r * n, sizeof next);
          sum += next;
        }
        __builtin_memcpy(part, &sum, sizeof sum);
      } else {
        for (long r = 0; r < take; ++r)
          for (int j = 0; j < n; ++j) part[j] += x[r * n + j];
      }
      x += take * n;
      count -= take;
      rows += static_cast<int>(take);
      deep += static_cast<int>(take);
      if (rows == most) end_piece();
      else if (deep == depth) end_depth();
    }
  }
  void end_depth() {
    for (int j = 0; j < n; ++j) total[j] = (has_total ? total[j] : 0.0) + part[j];
    has_total = true;
    deep = 0;
    clear();
  }
  void end_piece() {
    if (deep > 0) end_depth();
    for (int j = 0; j < n; ++j) all[j] = has_all ? all[j] + total[j] : total[j];
    has_all = true;
    has_total = false;
    deep = rows = 0;
  }
  void finish(double scale, T* y) {
    if (rows > 0) end_piece();
    for (int j = 0; j < n; ++j) y[j] = scaled<T>(all[j], scale);
  }
};
)text";

// Each iteration is independent of the others, also where a result takes the place of an operand. Short loops would be
// unrolled to scalars before they could become vectors.
constexpr std::string_view independent =
    "#ifdef __clang__\n#pragma clang loop vectorize(assume_safety) unroll(disable)\n"
    "#else\n#pragma GCC ivdep\n#pragma GCC unroll 1\n#endif\n";

constexpr std::int64_t rows_ahead = 16;  // how far before they are read rows of tables are fetched
constexpr std::int64_t line_bytes = 64, most_lines = 4;

// Of values in memory, for which a bool is a byte; a step gives a bool.
std::string_view type_text(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float";
    case DType::float64: return "double";
    case DType::int32: return "int";
    case DType::int64: return "gr_int64";
    case DType::boolean: break;
  }
  return "unsigned char";
}

std::string_view computed_type(DType dtype) { return dtype == DType::boolean ? "bool" : type_text(dtype); }

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
    constexpr std::int64_t elements = 512;  // of a block: they stay in the L1 cache
    block_ = std::max<std::int64_t>(1, elements / kernel.inner());
  }

  std::string write() {
    for (const Kernel::Step& step : kernel_.steps) add_function(step);
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
      if (fold.over_rows) text_ += fmt::format("  RowsSum<{}, {}> r{};\n", type, kernel_.inner(fold.axis), f);
      if (is_buffered(fold)) text_ += fmt::format("  {} s{}[{}];\n", type, f, block_ * kernel_.inner());
    }
    loops();
    text_ += "}\n";
    if (any_width_) choose_width();
    return text_;
  }

 private:
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

  // Equal formulas on equal types are one function.
  void add_function(const Kernel::Step& step) {
    std::string parameters;
    for (std::size_t i = 0; i < step.inputs.size(); ++i)
      parameters += fmt::format("{}{} x{}", i == 0 ? "" : ", ",
                                step.operands[i].computed ? computed_type(step.types[i]) : type_text(step.types[i]),
                                step.inputs[i]);
    const std::string body = fmt::format("({}) {{ return {}; }}\n", parameters, step.formula);
    const std::string_view type = computed_type(step.dtype);
    const auto [made, is_new] =
        functions_.try_emplace(fmt::format("{} {}", type, body), static_cast<int>(functions_.size()));
    if (is_new) text_ += fmt::format("inline {} f{}{}", type, made->second, body);
    function_of_.push_back(made->second);
  }

  // Where the row at hand of a read, or of what is written in step, begins: the sum of what its steps along the axes
  // before the last come to.
  std::string row(const std::vector<std::int64_t>& stride, bool looked_up) const {
    std::string sum;
    for (std::size_t a = 0; a < last_; ++a)
      if (stride[a] != 0)
        sum +=
            fmt::format(" + {} * {}", a == 0 && looked_up ? "row" : fmt::format("gr_int64(c{})", a), length(stride[a]));
    return sum;
  }

  bool steps_along(const Kernel::Read& read) const {
    return read.operand.access == Access::in_step || read.stride[last_] != 0;
  }

  void loops() {
    const bool by_rows = kernel_.looks_up();
    if (!kernel_.folds.empty())
      text_ += fmt::format(
          "  for (gr_int64 b = 0; b < n; b += {0}) {{\n  const gr_int64 end = b + {0} < n ? b + {0} : n;\n", block_);
    for (std::size_t a = 0; a <= last_; ++a) {
      const std::string in = indent(a + 1);
      if (a == last_) begin_row(in);
      if (a == 0 && !kernel_.folds.empty()) {
        text_ += fmt::format("{0}for (gr_int64 {1} = b; {1} < end; ++{1}) {{\n", in, counter(0));
      } else {
        text_ += fmt::format("{0}for ({1} {2} = 0; {2} < {3}; ++{2}) {{\n", in,
                             a == 0 || any_width_ ? "gr_int64" : "int", counter(a), bound(a));
      }
      if (a > 0 || !by_rows) continue;
      text_ += fmt::format("{}  const gr_int64 row = held[{}];\n", in, counter(0));
      prefetch(in + "  ");
    }
    body(indent(last_ + 2));
    for (std::size_t a = last_ + 1; a-- > 0;) text_ += indent(a + 1) + "}\n";
    if (!kernel_.folds.empty()) add_folds();
  }

  // Sums what a block of rows along the first axis has brought.
  void add_folds() {
    const std::int64_t inner = kernel_.inner();
    std::string at_end;
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      const std::int64_t length = kernel_.inner(fold.axis), rows = inner / length;
      const std::string from =
          is_buffered(fold) ? fmt::format("s{}", f) : fmt::format("y{} + b * gr_int64({})", fold.step, inner);
      if (fold.over_rows) {
        text_ += fmt::format("  r{}.add({}, (end - b) * {});\n", f, from, rows);
        at_end += fmt::format("  r{}.finish({}, w{});\n", f, fold.scale, f);
      } else {
        text_ += fmt::format("  sum_rows<{}, {}>({}, (end - b) * {}, {}, w{} + b * {});\n", type_text(fold.dtype),
                             length, from, rows, fold.scale, f, rows);
      }
    }
    text_ += "  }\n" + at_end;
  }

  // Whether a fold's elements are kept until a block is there: nobody else stores them.
  bool is_buffered(const Kernel::Fold& fold) const { return !kernel_.steps[at(fold.step)].stored; }

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
      const std::string at =
          fmt::format("p{}{}", k, row(read.operand.access == Access::in_step ? in_step_ : read.stride, looked_up));
      text_ += steps_along(read) || (last_ == 0 && looked_up)
                   ? fmt::format("{}const {}* q{} = {};\n", in, type, k, at)
                   : fmt::format("{}const {} a{} = *({});\n", in, type, k, at);
    }
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const Kernel::Step& step = kernel_.steps[m];
      const std::string_view type = type_text(step.dtype);
      if (step.stored) text_ += fmt::format("{}{}* z{} = y{}{};\n", in, type, m, m, row(in_step_, false));
      if (step.table >= 0) text_ += fmt::format("{}{}* u{} = t{}{};\n", in, type, m, m, row(in_step_, true));
    }
    std::vector<std::int64_t> in_block = in_step_;
    in_block[0] = 0;
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f)
      if (is_buffered(kernel_.folds[f]))
        text_ += fmt::format("{}{}* e{} = s{} + (c0 - b) * {}{};\n", in, type_text(kernel_.folds[f].dtype), f, f,
                             in_step_[0], row(in_block, false));
    text_ += independent;
  }

  void body(const std::string& in) {
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k) {
      const Kernel::Read& read = kernel_.reads[k];
      const bool by_row = last_ == 0 && read.operand.access == Access::looked_up;
      if (read.operand.access == Access::number || (!steps_along(read) && !by_row)) continue;
      text_ += fmt::format("{}const {} a{} = q{}[{}];\n", in, type_text(read.dtype), k, k,
                           by_row ? (read.stride[0] != 0 ? "row" : "0") : "j");
    }
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      const Kernel::Step& step = kernel_.steps[m];
      std::string operands;
      for (const Kernel::Operand& operand : step.operands)
        operands += fmt::format("{}{}{}", operands.empty() ? "" : ", ", operand.computed ? "v" : "a", operand.index);
      text_ += fmt::format("{}const {} v{} = f{}({});\n", in, computed_type(step.dtype), m, function_of_[m], operands);
    }
    // All is read before anything is written: a result may lie where an operand does.
    for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
      if (kernel_.steps[m].stored) text_ += fmt::format("{}z{}[j] = v{};\n", in, m, m);
      if (kernel_.steps[m].table >= 0) text_ += fmt::format("{}u{}[{}] = v{};\n", in, m, last_ == 0 ? "row" : "j", m);
    }
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f)
      if (is_buffered(kernel_.folds[f])) text_ += fmt::format("{}e{}[j] = v{};\n", in, f, kernel_.folds[f].step);
  }

  // The rows of tables that come soon.
  void prefetch(const std::string& in) {
    std::string lines;
    const auto add = [&](std::string_view pointer, std::size_t index, std::int64_t step, DType dtype) {
      const auto bytes = static_cast<std::int64_t>(size_of(dtype));
      const std::string_view fetch = "__builtin_prefetch(reinterpret_cast<const char*>(";
      if (any_width_ && step == kernel_.dims[1]) {
        lines += fmt::format("{0}for (gr_int64 line = 0; line < {1} && line < width * {2}; line += {3})\n", in,
                             most_lines * line_bytes, bytes, line_bytes);
        lines += fmt::format("{}  {}{}{} + soon * width) + line);\n", in, fetch, pointer, index);
        return;
      }
      for (std::int64_t line = 0; line < std::min(step * bytes, most_lines * line_bytes); line += line_bytes)
        lines += fmt::format("{}{}{}{} + soon * {}) + {});\n", in, fetch, pointer, index, step, line);
    };
    for (std::size_t k = 0; k < kernel_.reads.size(); ++k)
      if (kernel_.reads[k].operand.access == Access::looked_up && kernel_.reads[k].stride[0] != 0)
        add("p", k, kernel_.reads[k].stride[0], kernel_.reads[k].dtype);
    if (lines.empty()) return;
    text_ += fmt::format("{0}const gr_int64 soon = held[{1} + {2} < last ? {1} + {2} : last];\n{3}", in, counter(0),
                         rows_ahead, lines);
  }

  const Kernel& kernel_;
  std::size_t last_;                   // axis
  bool any_width_;                     // the last axis is as long as an argument says
  std::vector<std::int64_t> in_step_;  // strides
  std::int64_t block_ = 1;             // steps along the first axis, before what they bring is summed
  std::map<std::string, int> functions_;
  std::vector<int> function_of_;  // by step
  std::string text_;
};

}  // namespace

bool Kernel::looks_up() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.table >= 0; }) ||
         std::any_of(reads.begin(), reads.end(), [](const Read& r) { return r.operand.access == Access::looked_up; });
}

std::int64_t Kernel::inner(std::size_t axis) const {
  std::int64_t size = 1;
  for (std::size_t a = axis; a < dims.size(); ++a) size *= dims[a];
  return size;
}

std::string cpu_prelude() {
  return fmt::format("{}{}{}{}{}", before_math, kernel_headers_text(), after_math, folds, formula_functions);
}

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
