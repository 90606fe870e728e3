// The loops of a kernel on a GPU; what is done of each element is gpu_element.cpp's.
#include <gradus/core/kernel/gpu_text.h>

#include <gradus/core/device/accelerator.h>
#include <gradus/core/kernel/gpu_element.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

using Form = GpuText::Form;

constexpr std::int64_t warp_row = 256;        // elements of a row that a warp takes
constexpr std::int64_t long_warp_row = 2048;  // the same where there are rows enough for many warps
constexpr std::int64_t many_rows = 1024;
constexpr std::int64_t rows_enough = 16384;  // for all warps: each takes a row, however long
constexpr int lanes_of_pattern = 8;          // threads for a row of a pattern: rows of few non-zeros are the rule
constexpr int elements_of_chunk = 128;       // elements of a row that are multiplied by rows of a matrix at a time
constexpr std::int64_t many_pieces = 2048;   // of all rows: they keep all multiprocessors busy

bool go_by_warps(std::int64_t rows, std::int64_t length) {
  return rows > 1 && (length <= warp_row || (length <= long_warp_row && rows >= many_rows) || rows >= rows_enough);
}

int lanes_for(std::int64_t count) {
  int lanes = 1;
  while (lanes < 32 && lanes < count) lanes *= 2;
  return lanes;
}

// Of a fold's sums, in registers.
std::int64_t registers_of(const Kernel::Fold& fold) {
  const std::string_view type = fold_type(fold);
  return fold.width() * (type == "double" || type == cuda_name(int64) ? 2 : 1);
}

// What is read of a matrix serves several rows, whose sums are in registers too: as many as let two blocks of 256
// threads share a multiprocessor (128 registers each, found for 24 sums with 4 rows, by ptxas for sm_90).
int rows_at_once(const Kernel& kernel) {
  constexpr std::int64_t few = 24, many = 48;
  std::int64_t sums = 0;
  for (const Kernel::Fold& fold : kernel.folds) sums += registers_of(fold);
  return sums <= few ? 4 : sums <= many ? 2 : 1;
}

void choose_form(const Kernel& kernel, GpuText& made) {
  if (kernel.folds.empty()) return;
  const Kernel::Fold& fold = kernel.folds.front();
  if (kernel.space.layout == Layout::csr) {
    made.form = fold.over_rows() ? Form::blocks : Form::warps;
    made.lanes = fold.over_rows() ? 1 : lanes_of_pattern;
    made.split = fold.over_rows();
    made.rows = fold.over_rows() ? 1 : kernel.dims[0];
    return;
  }
  made.rows = made.length = 1;
  for (std::size_t a = 0; a < kernel.dims.size(); ++a)
    (a >= fold.axis && a < fold.end ? made.length : made.rows) *= kernel.dims[a];
  made.form = fold.over_rows() ? Form::columns : go_by_warps(made.rows, made.length) ? Form::warps : Form::blocks;
  if (made.form != Form::blocks) made.lanes = lanes_for(fold.over_rows() ? made.rows : made.length);
  if (kernel.has_products()) made.at_once = rows_at_once(kernel);
  made.split = made.form != Form::warps && made.length > made.piece_length(made.length);
}

class Loops {
 public:
  Loops(const Kernel& kernel, GpuText& made) : kernel_(kernel), made_(made), element_(kernel, made) {}

  std::string write() const {
    constexpr std::string_view in_pieces = "gr_int64 rows, gr_int64 length, gr_int64 pieces, gr_int64 piece_length";
    constexpr std::string_view numbers[] = {"gr_int64 n, gr_int64 packs", "gr_int64 rows, gr_int64 length", in_pieces,
                                            in_pieces};
    std::string text = element_.functions();
    if (made_.packed) text += "template <class T, int n> struct alignas(sizeof(T) * n) Pack { T of[n]; };\n";
    text += fmt::format("extern \"C\" __global__ void NAME({}{}) {{\n{}", numbers[static_cast<std::size_t>(made_.form)],
                        element_.parameters(), element_.numbers());
    if (made_.form == Form::elements) text += elements();
    if (made_.form == Form::warps) text += made_.at_once > 0 ? warps_by_matrices() : warps();
    if (made_.form == Form::blocks) text += blocks();
    if (made_.form == Form::columns) text += made_.at_once > 0 ? columns_by_matrices() : columns();
    return text + "}\n";
  }

 private:
  std::string elements() const {
    if (!made_.packed)
      return fmt::format("  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {{\n{}  }}\n", element_.body("    "));
    return fmt::format(
        "  for (gr_int64 q = gr_first(); q < packs; q += gr_step()) {{\n{0}    for (int l = 0; l < {1}; ++l) {{\n{2}"
        "    }}\n{3}  }}\n  for (gr_int64 i = packs * {1} + gr_first(); i < n; i += gr_step()) {{\n{4}  }}\n",
        element_.read_packs(), made_.lanes, element_.body("      ", {}, true), element_.write_packs(),
        element_.body("    "));
  }

  std::string warps() const {
    const bool by_pattern = kernel_.space.layout == Layout::csr;
    return fmt::format(
        "  constexpr int lanes = {};\n"
        "  const gr_int64 teams = blockDim.x / lanes;\n"
        "  for (gr_int64 first = blockIdx.x * teams; first < rows; first += gridDim.x * teams) {{\n"
        "    const gr_int64 r = first + threadIdx.x / lanes;\n{}    if (r < rows) {{\n{}"
        "#pragma unroll 4\n"
        "      for (gr_int64 i = begin + threadIdx.x % lanes; i < end; i += lanes) {{\n{}      }}\n    }}\n{}  }}\n",
        made_.lanes, starts(),
        by_pattern ? fmt::format("      const gr_int64 begin = {0}[r], end = {0}[r + 1];\n", element_.row_start())
                   : "      const gr_int64 begin = r * length, end = begin + length;\n",
        element_.body("        ", {"r", "i - begin"}),
        ends("gr_warp_fold", ", lanes", "r < rows && threadIdx.x % lanes == 0"));
  }

  std::string blocks() const {
    return fmt::format(
        "  for (gr_int64 p = blockIdx.x; p < rows * pieces; p += gridDim.x) {{\n"
        "    const gr_int64 r = p / pieces, piece = p % pieces, begin = piece * piece_length;\n"
        "    const gr_int64 end = r * length + (begin + piece_length < length ? begin + piece_length : length);\n{}"
        "#pragma unroll 4\n    for (gr_int64 i = r * length + begin + threadIdx.x; i < end; i += blockDim.x) {{\n{}"
        "    }}\n{}  }}\n",
        starts(), element_.body("      ", {"r", "i - r * length"}), ends("gr_block_fold", "", "threadIdx.x == 0"));
  }

  std::string columns() const {
    return fmt::format(
        "  constexpr int lanes = {};\n"
        "  const gr_int64 tiles = (rows + lanes - 1) / lanes;\n"
        "  for (gr_int64 p = blockIdx.x; p < tiles * pieces; p += gridDim.x) {{\n"
        "    const gr_int64 r = p % tiles * lanes + threadIdx.x % lanes, piece = p / tiles;\n"
        "    const gr_int64 begin = piece * piece_length;\n"
        "    const gr_int64 end = r >= rows ? begin : begin + piece_length < length ? begin + "
        "piece_length : length;\n{}"
        "#pragma unroll 4\n    for (gr_int64 e = begin + threadIdx.x / lanes; e < end; e += blockDim.x / lanes) {{\n"
        "      const gr_int64 i = e * rows + r;\n{}    }}\n{}  }}\n",
        made_.lanes, starts(), element_.body("      ", {"e", "r"}),
        ends("gr_column_fold", ", lanes", "threadIdx.x < lanes && r < rows"));
  }

  // By matrices: a thread takes several rows, so that what is read of a matrix is used as often. A row's elements lie
  // side by side: the rows of the matrix that belong to a chunk of them are put where all warps find them, transposed,
  // so that neighbouring threads read neighbouring values.
  std::string warps_by_matrices() const {
    std::string tiles, filled, taken;
    for_each_matrix([&](std::size_t f, const Kernel::Fold& fold) {
      const Fold::Matrix& m = *fold.matrix;
      const std::string_view type = cuda_name(fold.dtype);
      tiles += fmt::format("  __shared__ {} tile{}[{}][chunk + 1];\n", type, f, m.columns);
      // Threads that are neighbours read neighbours of the matrix.
      const bool by_columns = m.across < m.along;
      filled += fmt::format(
          "      for (int t = threadIdx.x; t < here * {0}; t += blockDim.x) {{\n"
          "        const int j = t {1}, c = t {2};\n"
          "        tile{3}[c][j] = {4}[{5} + {6}];\n      }}\n",
          m.columns, by_columns ? fmt::format("/ {}", m.columns) : "% here",
          by_columns ? fmt::format("% {}", m.columns) : "/ here", f, element_.of_read(fold.matrix_read),
          steps_of("from + j", m.along), steps_of("c", m.across));
      taken += fmt::format(
          "        {0} m{1}[{2}];\n#pragma unroll\n        for (int c = 0; c < {2}; ++c) m{1}[c] = "
          "tile{1}[c][j];\n",
          type, f, m.columns);
    });
    return fmt::format(
        "  constexpr int lanes = {}, at_once = {}, chunk = {};\n{}"
        "  const gr_int64 teams = blockDim.x / lanes;\n"
        "  for (gr_int64 first = blockIdx.x * teams * at_once; first < rows; first += gridDim.x * teams * at_once) {{\n"
        "    const gr_int64 row = first + threadIdx.x / lanes * at_once;\n{}"
        "    for (gr_int64 from = 0; from < length; from += chunk) {{\n"
        "      const int here = from + chunk < length ? chunk : int(length - from);\n"
        "      __syncthreads();\n{}      __syncthreads();\n"
        "#pragma unroll 1\n"
        "      for (int j = threadIdx.x % lanes; j < here; j += lanes) {{\n{}"
        "#pragma unroll\n        for (int l = 0; l < at_once; ++l) {{\n"
        "{}          const gr_int64 i = r * length + from + j;\n{}        }}\n      }}\n    }}\n"
        "#pragma unroll\n    for (int l = 0; l < at_once; ++l) {{\n      const gr_int64 r = row + l;\n{}    }}\n  }}\n",
        made_.lanes, made_.at_once, elements_of_chunk, tiles, starts(), filled, taken,
        row_or_last("row + l", "          "), element_.body("          ", {"r", "from + j"}),
        ends("gr_warp_fold", ", lanes", "r < rows && threadIdx.x % lanes == 0", "      "));
  }

  // Side by side lie the same elements of neighbouring rows: all threads of a warp read one row of the matrix.
  std::string columns_by_matrices() const {
    std::string taken;
    for_each_matrix([&](std::size_t f, const Kernel::Fold& fold) {
      taken += fmt::format(
          "      {0} m{1}[{2}];\n#pragma unroll\n      for (int c = 0; c < {2}; ++c) m{1}[c] = {3}[{4} + {5}];\n",
          cuda_name(fold.dtype), f, fold.width(), element_.of_read(fold.matrix_read), steps_of("e", fold.matrix->along),
          steps_of("c", fold.matrix->across));
    });
    return fmt::format(
        "  constexpr int lanes = {}, at_once = {};\n"
        "  const gr_int64 tiles = (rows + lanes * at_once - 1) / (lanes * at_once);\n"
        "  for (gr_int64 p = blockIdx.x; p < tiles * pieces; p += gridDim.x) {{\n"
        "    const gr_int64 row = p % tiles * (lanes * at_once) + threadIdx.x % lanes, piece = p / tiles;\n"
        "    const gr_int64 begin = piece * piece_length;\n"
        "    const gr_int64 end = begin + piece_length < length ? begin + piece_length : length;\n{}"
        "#pragma unroll 1\n    for (gr_int64 e = begin + threadIdx.x / lanes; e < end; e += blockDim.x / lanes) {{\n{}"
        "#pragma unroll\n      for (int l = 0; l < at_once; ++l) {{\n"
        "{}        const gr_int64 i = e * rows + r;\n{}      }}\n    }}\n"
        "#pragma unroll\n    for (int l = 0; l < at_once; ++l) {{\n      const gr_int64 r = row + l * lanes;\n{}"
        "    }}\n  }}\n",
        made_.lanes, made_.at_once, starts(), taken, row_or_last("row + l * lanes", "        "),
        element_.body("        ", {"e", "r"}),
        ends("gr_column_fold", ", lanes", "threadIdx.x < lanes && r < rows", "      "));
  }

  template <class F>
  void for_each_matrix(F&& f) const {
    for (std::size_t n = 0; n < kernel_.folds.size(); ++n)
      if (kernel_.folds[n].matrix) f(n, kernel_.folds[n]);
  }

  // Behind the last row, it is read again, so that all reads are on their way together; unless it is written over.
  std::string row_or_last(std::string_view row, std::string_view indent) const {
    const bool writes = std::any_of(kernel_.steps.begin(), kernel_.steps.end(),
                                    [](const Kernel::Step& step) { return step.stored || step.table >= 0; });
    return writes ? fmt::format("{0}const gr_int64 r = {1};\n{0}if (r >= rows) break;\n", indent, row)
                  : fmt::format("{0}const gr_int64 r = {1} < rows ? {1} : rows - 1;\n", indent, row);
  }

  // Folds as they begin.
  std::string starts() const {
    std::string text;
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      const std::string_view type = fold_type(fold);
      if (fold.matrix)
        text += fmt::format("    {} s{}[{}][{}] = {{}};\n", type, f, made_.at_once, fold.width());
      else if (made_.at_once > 0)
        text += fmt::format("    {0} s{1}[{2}];\n    for (int l = 0; l < {2}; ++l) s{1}[l] = {3}::start<{0}>();\n",
                            type, f, made_.at_once, fold_name(fold.by));
      else
        text += fmt::format("    {0} s{1} = {2}::start<{0}>();\n", type, f, fold_name(fold.by));
    }
    return text;
  }

  // What each thread has of row r is folded by a function of several, and written by one of them.
  std::string ends(std::string_view function, std::string_view threads, std::string_view writes,
                   std::string_view indent = "    ") const {
    std::string text;
    for (std::size_t f = 0; f < kernel_.folds.size(); ++f) {
      const Kernel::Fold& fold = kernel_.folds[f];
      const std::string sum = fmt::format("s{}{}{}", f, made_.at_once > 0 ? "[l]" : "", fold.matrix ? "[c]" : "");
      std::string to = "r";
      if (fold.matrix && made_.split) to = fmt::format("(r * {} + c)", fold.width());
      if (fold.matrix && !made_.split)
        to = steps_of("r", fold.matrix->result_row) + " + " + steps_of("c", fold.matrix->result_across);
      if (made_.split) to += " * pieces + piece";
      const std::string in = std::string(indent) + (fold.matrix ? "  " : "");
      if (fold.matrix) text += fmt::format("#pragma unroll\n{}for (int c = 0; c < {}; ++c) {{\n", indent, fold.width());
      text += fmt::format("{0}{1} = {2}<{3}{4}>({1});\n", in, sum, function, fold_name(fold.by), threads);
      text += fmt::format("{}if ({}) {}[{}] = {};\n", in, writes, element_.of_fold(f), to,
                          made_.split ? sum : scaled(fold, sum));
      if (fold.matrix) text += fmt::format("{}}}\n", indent);
    }
    return text;
  }

  static std::string scaled(const Kernel::Fold& fold, const std::string& sum) {
    return fold.scale == 1 ? fmt::format("{}({})", cuda_name(fold.dtype), sum)
                           : fmt::format("{}({} * {})", cuda_name(fold.dtype), sum, double_text(fold.scale));
  }

  const Kernel& kernel_;
  const GpuText& made_;
  GpuElement element_;
};

}  // namespace

// A single row has nothing else to keep the device busy. Where folds have matrices a piece ends in many sums.
std::int64_t GpuText::piece_length(std::int64_t row_length) const {
  constexpr std::int64_t shortest = 64, of_one_row = 1024, of_rows = 8192, most = 4096;
  const std::int64_t beside = neighbours(), tiles = (rows + beside - 1) / std::max<std::int64_t>(1, beside);
  const std::int64_t pieces = std::max<std::int64_t>(1, many_pieces / std::max<std::int64_t>(1, tiles));
  const std::int64_t length = at_once > 0 ? std::max(shortest, (row_length + pieces - 1) / pieces)
                                          : (rows == 1 ? of_one_row : of_rows) / beside;
  return std::max(length, (row_length + most - 1) / most);
}

GpuText gpu_text(const Kernel& kernel) {
  GpuText made;
  choose_form(kernel, made);
  made.text = Loops(kernel, made).write();
  return made;
}

bool takes_matrices(std::int64_t rows, std::int64_t length, bool side_by_side) {
  return side_by_side || go_by_warps(rows, length);
}

std::string_view fold_name(Fold::By by) {
  return by == Fold::By::max ? "gr_Max" : by == Fold::By::min ? "gr_Min" : "gr_Sum";
}

// Of products by a matrix so many sums are kept that they are no wider than they must.
std::string_view fold_type(const Kernel::Fold& fold) {
  return fold.by == Fold::By::sum && fold.dtype == float32 && !fold.matrix ? "double" : cuda_name(fold.dtype);
}

std::string double_text(double x) {
  if (std::isfinite(x)) return fmt::format("{:#.17g}", x);
  return std::isnan(x) ? "(0 * gr_greatest<double>())" : x > 0 ? "gr_greatest<double>()" : "gr_least<double>()";
}

}  // namespace gradus
