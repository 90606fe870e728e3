#include <gradus/core/device/loop_text.h>

#include <gradus/core/at.h>
#include <gradus/core/device/device_call.h>
#include <gradus/core/plan/schedule.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gradus {

namespace {

using Access = LoopOperand::Access;
using What = LoopArgument::What;
using Form = LoopText::Form;
using Dims = std::vector<std::int64_t>;

constexpr std::int64_t warp_row = 256;        // elements of a row that a warp takes
constexpr std::int64_t long_warp_row = 2048;  // the same where there are rows enough for many warps
constexpr std::int64_t many_rows = 1024;
constexpr std::int64_t rows_enough = 16384;  // for all warps: each takes a row, however long
constexpr int lanes_of_pattern = 8;          // threads for a row of a pattern: rows of few non-zeros are the rule
constexpr std::size_t longest_name = 48;

class Writer {
 public:
  Writer(const Program& program, const LoopSpace& space, std::span<const int> nodes, const MemoryPlan& memory)
      : program_(program), space_(space), nodes_(nodes), memory_(memory) {
    for (std::size_t m = 0; m < nodes.size(); ++m) member_[nodes[m]] = static_cast<int>(m);
    for (const int id : nodes)
      if (is_fold(id)) folds_.push_back(id);
    choose_form();
    collect_reads();
    merge_axes();
    collect_outputs();
    choose_packs();
  }

  LoopText write() {
    std::string text;
    if (packed_) text += "template <class T, int n> struct alignas(sizeof(T) * n) Pack { T of[n]; };\n";
    for (const int id : nodes_) text += function(id);
    constexpr std::string_view in_pieces = "gr_int64 rows, gr_int64 length, gr_int64 pieces, gr_int64 piece_length";
    constexpr std::string_view numbers[] = {"gr_int64 n, gr_int64 packs", "gr_int64 rows, gr_int64 length", in_pieces,
                                            in_pieces};
    text += fmt::format("extern \"C\" __global__ void NAME({}{}) {{\n", numbers[static_cast<std::size_t>(made_.form)],
                        parameters_);
    for (std::size_t k = 0; k < reads_.size(); ++k)
      if (reads_[k].access == Access::number)
        text += fmt::format("  const {} a{} = {}[0];\n", cuda(reads_[k].node), k, reads_[k].pointer);
    if (made_.form == Form::elements) text += elements();
    if (made_.form == Form::warps) text += warps();
    if (made_.form == Form::blocks) text += blocks();
    if (made_.form == Form::columns) text += columns();
    made_.text = text + "}\n";
    made_.name = name();
    return std::move(made_);
  }

 private:
  struct Read {
    int node;
    Access access;
    LoopOperand operand;  // as the space has it
    Dims stride;          // along dims_
    std::string pointer;
  };

  const ProgramNode& node(int id) const { return program_.nodes[at(id)]; }
  const Type& type(int id) const { return node(id).type; }
  bool is_fold(int id) const { return node(id).op->row_kernel(input_types(program_, node(id))) == nullptr; }
  std::string_view cuda(int id) const { return cuda_name(type(id).dtype); }
  // What a node's operands are read in step with: of a fold, its first one.
  const Type& term_type(int id) const { return is_fold(id) ? type(node(id).inputs[0]) : type(id); }
  // Whether the input is there in a register, and of which member.
  int register_of(int input) const {
    const auto found = member_.find(program_.root(input));
    return found == member_.end() || is_fold(found->first) ? -1 : found->second;
  }
  bool by_pattern() const { return made_.form == Form::warps && space_.layout == Layout::csr; }

  std::string name() const {
    std::string name;
    for (const int id : nodes_) {
      const std::string_view op = node(id).op->name();
      if (name.size() + op.size() > longest_name) return name + "_and_more";
      name += (name.empty() ? "" : "_") + std::string(op);
    }
    return name;
  }

  void choose_form() {
    if (folds_.empty()) return;
    const FoldRows rows = fold_rows(program_, folds_.front());
    const Type& terms = term_type(folds_.front());
    const std::int64_t length = terms.shape.size() / std::max<std::int64_t>(1, rows.count);
    if (rows.of == FoldRows::Of::columns) {
      made_.form = Form::columns;
      while (made_.lanes < 32 && made_.lanes < rows.count) made_.lanes *= 2;
      made_.split = length > fold_piece(rows.count) / made_.lanes;
    } else if (rows.of == FoldRows::Of::pattern) {
      made_.form = Form::warps;
      made_.lanes = lanes_of_pattern;
    } else if (terms.layout == Layout::dense && rows.count > 1 &&
               (length <= warp_row || (length <= long_warp_row && rows.count >= many_rows) ||
                rows.count >= rows_enough)) {
      made_.form = Form::warps;
      while (made_.lanes < 32 && made_.lanes < length) made_.lanes *= 2;
    } else {
      made_.form = Form::blocks;
      made_.split = terms.layout == Layout::csr || length > fold_piece(rows.count);
    }
  }

  std::string argument(What what, int id, std::string_view declaration) {
    std::string name = fmt::format("p{}", made_.arguments.size());
    made_.arguments.push_back({what, id});
    parameters_ += fmt::format(", {} {}", declaration, name);
    return name;
  }

  void collect_reads() {
    for (const int id : nodes_) {
      const std::vector<Type> types = loop_inputs(program_, id);
      for (int i = 0; i < static_cast<int>(types.size()); ++i) {
        const int input = node(id).inputs[at(i)];
        if (!node(id).op->reads(i) || register_of(input) >= 0) continue;
        const LoopOperand operand = loop_operand(types[at(i)], term_type(id));
        if (read_of(input, operand) >= 0) continue;
        const Dims stride(operand.stride.begin(), operand.stride.begin() + std::ssize(space_.dims));
        reads_.push_back({input, operand.access, operand, stride,
                          argument(What::read, input, fmt::format("const {}*", cuda(input)))});
      }
    }
    const auto steps = [&](Access access, std::size_t axis) {
      return std::any_of(reads_.begin(), reads_.end(),
                         [&](const Read& r) { return r.access == access && r.stride[axis] != 0; });
    };
    if (by_pattern()) row_start_ = argument(What::row_start, -1, "const gr_int64*");
    if (space_.layout == Layout::csr && steps(Access::gathered, 1)) column_ = argument(What::column, -1, "const int*");
    if (space_.layout == Layout::csr && steps(Access::gathered, 0))
      row_ = by_pattern() ? "r" : argument(What::row, -1, "const int*") + "[i]";
    const bool tables =
        std::any_of(nodes_.begin(), nodes_.end(), [&](int id) { return memory_.scattered[at(id)] >= 0; });
    if (tables || (space_.layout == Layout::rows && steps(Access::looked_up, 0)))
      held_ = argument(What::held_rows, -1, "const int*");
  }

  int read_of(int input, const LoopOperand& operand) const {
    for (std::size_t k = 0; k < reads_.size(); ++k)
      if (reads_[k].node == input && reads_[k].operand == operand) return static_cast<int>(k);
    return -1;
  }

  // Neighbouring axes of a dense space that every broadcast operand steps through as through one become one.
  void merge_axes() {
    dims_ = space_.dims;
    if (space_.layout != Layout::dense) return;
    for (std::size_t b = dims_.size(); b-- > 1;) {
      if (std::any_of(reads_.begin(), reads_.end(), [&](const Read& r) {
            return r.access == Access::strided && r.stride[b - 1] != r.stride[b] * dims_[b];
          }))
        continue;
      dims_[b - 1] *= dims_[b];
      const auto where = static_cast<std::ptrdiff_t>(b);
      dims_.erase(dims_.begin() + where);
      for (Read& r : reads_) r.stride.erase(r.stride.begin() + where - 1);
    }
  }

  void collect_outputs() {
    results_.resize(nodes_.size());
    tables_.resize(nodes_.size());
    for (std::size_t m = 0; m < nodes_.size(); ++m) {
      const int id = nodes_[m];
      const std::string pointer = fmt::format("{}*", cuda(id));
      if (is_fold(id) && made_.split) {
        results_[m] = argument(What::parts, id, fmt::format("{}*", wide(id)));
      } else if (memory_.kept[at(id)]) {
        results_[m] = argument(What::written, id, pointer);
      }
      if (memory_.scattered[at(id)] >= 0) tables_[m] = argument(What::table, memory_.scattered[at(id)], pointer);
    }
  }

  void choose_packs() {
    if (made_.form != Form::elements || !held_.empty()) return;
    std::size_t widest = 1;
    for (const int id : nodes_) widest = std::max(widest, size_of(type(id).dtype));
    for (const Read& read : reads_) {
      if (read.access != Access::in_step && read.access != Access::number) return;
      widest = std::max(widest, size_of(type(read.node).dtype));
    }
    packed_ = true;
    made_.lanes = static_cast<int>(16 / widest);
  }

  std::string wide(int id) const { return fold_type(fold_of(program_, id).by, type(id).dtype); }
  std::string fold(int id) const { return fold_name(fold_of(program_, id).by); }

  // A node's formula, or the term of its fold, as a function of the operands that it reads.
  std::string function(int id) const {
    const std::vector<Type> types = input_types(program_, node(id));
    std::string operands;
    for (int i = 0; i < static_cast<int>(types.size()); ++i)
      if (node(id).op->reads(i))
        operands += fmt::format("{}{} x{}", operands.empty() ? "" : ", ", cuda_name(types[at(i)].dtype), i);
    const std::string formula = is_fold(id) ? fold_of(program_, id).term : node(id).op->formula(types);
    const std::string_view result = is_fold(id) ? cuda_name(types[0].dtype) : cuda(id);
    return fmt::format("__device__ inline {} f{}({}) {{ return {}; }}\n", result, member_.at(id), operands, formula);
  }

  // Steps of an operand along these axes, whose coordinates are `c` with the axis' number.
  static std::string offset(const Dims& stride, std::size_t first, char c) {
    std::string sum;
    for (std::size_t a = first; a < stride.size(); ++a)
      if (stride[a] != 0) sum += fmt::format("{}gr_int64({}{}) * {}", sum.empty() ? "" : " + ", c, a, stride[a]);
    return sum;
  }

  // Coordinates c0, c1, ... of element `index` along the axes from the first.
  std::string coordinates(std::string_view index, std::size_t first, std::string_view indent) const {
    std::string text = fmt::format("{}{} rest = {};\n", indent, index_type(), index);
    for (std::size_t a = dims_.size(); a-- > first + 1;) {
      const std::int64_t dim = std::max<std::int64_t>(1, dims_[a]);
      text += fmt::format("{}const {} c{} = rest % {};\n{}rest /= {};\n", indent, index_type(), a, dim, indent, dim);
    }
    return text + fmt::format("{}const {} c{} = rest;\n", indent, index_type(), first);
  }

  // Divisions of 32 bits are several times faster.
  std::string_view index_type() const {
    std::int64_t size = space_.layout == Layout::dense ? 1 : INT64_MAX;
    for (const std::int64_t dim : space_.dims) size = space_.layout == Layout::dense ? size * dim : size;
    return size <= INT32_MAX ? "unsigned" : "gr_uint64";
  }

  std::int64_t row_size() const {
    std::int64_t size = 1;
    for (std::size_t a = 1; a < dims_.size(); ++a) size *= dims_[a];
    return std::max<std::int64_t>(1, size);
  }

  // Whether an operand's rows are as the space's, so that element j of one is element j of the other.
  bool whole_rows(const Read& r) const {
    std::int64_t step = 1;
    for (std::size_t a = dims_.size(); a-- > 1; step *= dims_[a])
      if (dims_[a] != 1 && r.stride[a] != step) return false;
    return true;
  }

  std::string address(const Read& r) const {
    std::string sum;
    const auto add = [&](const std::string& term) {
      if (!term.empty()) sum += (sum.empty() ? "" : " + ") + term;
    };
    if (r.access == Access::strided) add(offset(r.stride, 0, 'c'));
    if (r.access == Access::gathered) {
      if (r.stride[0] != 0) add(fmt::format("gr_int64({}) * {}", row_, r.stride[0]));
      if (r.stride[1] != 0) add(fmt::format("gr_int64({}[i]) * {}", column_, r.stride[1]));
    }
    if (r.access == Access::looked_up || r.access == Access::narrow) {
      const std::string row = r.access == Access::narrow ? "h" : held_ + "[h]";
      if (r.stride[0] != 0) add(fmt::format("gr_int64({}) * {}", row, r.stride[0]));
      add(whole_rows(r) ? "j" : offset(r.stride, 1, 'c'));
    }
    return sum.empty() ? "0" : sum;
  }

  // All that is done for element i; for number l of a pack, where it is one of several.
  std::string body(std::string_view indent, bool in_pack = false) const {
    std::string text;
    const auto any_read = [&](auto&& wanted) { return std::any_of(reads_.begin(), reads_.end(), wanted); };
    if (any_read([](const Read& r) { return r.access == Access::strided; })) text += coordinates("i", 0, indent);
    if (space_.layout == Layout::rows && (!held_.empty() || any_read([](const Read& r) {
          return r.access == Access::looked_up || r.access == Access::narrow;
        }))) {
      text += fmt::format("{0}const gr_uint64 h = gr_uint64(i) / {1}, j = gr_uint64(i) % {1};\n", indent, row_size());
      if (dims_.size() > 1 && any_read([&](const Read& r) {
            return (r.access == Access::looked_up || r.access == Access::narrow) && !whole_rows(r);
          }))
        text += coordinates("j", 1, indent);
    }
    for (std::size_t k = 0; k < reads_.size(); ++k) {
      const Read& r = reads_[k];
      if (r.access == Access::number) continue;
      const std::string from = in_pack                       ? fmt::format("b{}.of[l]", k)
                               : r.access == Access::in_step ? r.pointer + "[i]"
                                                             : fmt::format("{}[{}]", r.pointer, address(r));
      text += fmt::format("{}const {} a{} = {};\n", indent, cuda(r.node), k, from);
    }
    for (std::size_t m = 0; m < nodes_.size(); ++m) {
      const int id = nodes_[m];
      const std::vector<Type> types = loop_inputs(program_, id);
      std::string operands;
      for (int i = 0; i < static_cast<int>(types.size()); ++i) {
        if (!node(id).op->reads(i)) continue;
        const int input = node(id).inputs[at(i)];
        const int in_register = register_of(input);
        operands += operands.empty() ? "" : ", ";
        operands += in_register >= 0 ? fmt::format("v{}", in_register)
                                     : fmt::format("a{}", read_of(input, loop_operand(types[at(i)], term_type(id))));
      }
      text += is_fold(id)
                  ? fmt::format("{}s{} = {}::fold(s{}, {}(f{}({})));\n", indent, m, fold(id), m, wide(id), m, operands)
                  : fmt::format("{}const {} v{} = f{}({});\n", indent, cuda(id), m, m, operands);
    }
    // All is read before anything is written: a result may lie where an operand does.
    for (std::size_t m = 0; m < nodes_.size(); ++m) {
      if (is_fold(nodes_[m])) continue;
      if (!results_[m].empty())
        text += in_pack ? fmt::format("{}y{}.of[l] = v{};\n", indent, m, m)
                        : fmt::format("{}{}[i] = v{};\n", indent, results_[m], m);
      if (!tables_[m].empty())
        text += fmt::format("{}{}[gr_int64({}[h]) * {} + j] = v{};\n", indent, tables_[m], held_, row_size(), m);
    }
    return text;
  }

  std::string elements() const {
    std::string text;
    if (packed_) {
      text += "  for (gr_int64 q = gr_first(); q < packs; q += gr_step()) {\n";
      for (std::size_t k = 0; k < reads_.size(); ++k)
        if (reads_[k].access == Access::in_step)
          text += fmt::format("    const Pack<{0}, {1}> b{2} = reinterpret_cast<const Pack<{0}, {1}>*>({3})[q];\n",
                              cuda(reads_[k].node), made_.lanes, k, reads_[k].pointer);
      for (std::size_t m = 0; m < nodes_.size(); ++m)
        if (!results_[m].empty()) text += fmt::format("    Pack<{}, {}> y{};\n", cuda(nodes_[m]), made_.lanes, m);
      text += fmt::format("    for (int l = 0; l < {}; ++l) {{\n{}    }}\n", made_.lanes, body("      ", true));
      for (std::size_t m = 0; m < nodes_.size(); ++m)
        if (!results_[m].empty())
          text += fmt::format("    reinterpret_cast<Pack<{}, {}>*>({})[q] = y{};\n", cuda(nodes_[m]), made_.lanes,
                              results_[m], m);
      text += "  }\n";
    }
    const std::string first = packed_ ? fmt::format("packs * {} + gr_first()", made_.lanes) : "gr_first()";
    return text + fmt::format("  for (gr_int64 i = {}; i < n; i += gr_step()) {{\n{}  }}\n", first, body("    "));
  }

  std::string starts() const {
    std::string text;
    for (const int id : folds_)
      text += fmt::format("    {0} s{1} = {2}::start<{0}>();\n", wide(id), member_.at(id), fold(id));
    return text;
  }

  std::string folded(int id, const std::string& sum) const {
    const double scale = fold_of(program_, id).scale;
    return scale == 1 ? fmt::format("{}({})", cuda(id), sum)
                      : fmt::format("{}({} * {})", cuda(id), sum, double_text(scale));
  }

  std::string warps() const {
    std::string text = fmt::format(
        "  constexpr int lanes = {};\n"
        "  const gr_int64 teams = blockDim.x / lanes;\n"
        "  for (gr_int64 first = blockIdx.x * teams; first < rows; first += gridDim.x * teams) {{\n"
        "    const gr_int64 r = first + threadIdx.x / lanes;\n{}    if (r < rows) {{\n",
        made_.lanes, starts());
    text += by_pattern() ? fmt::format("      const gr_int64 begin = {0}[r], end = {0}[r + 1];\n", row_start_)
                         : "      const gr_int64 begin = r * length, end = begin + length;\n";
    text += fmt::format(
        "#pragma unroll 4\n"
        "      for (gr_int64 i = begin + threadIdx.x % lanes; i < end; i += lanes) {{\n{}      }}\n    }}\n",
        body("        "));
    for (const int id : folds_) {
      const int m = member_.at(id);
      text += fmt::format("    s{0} = gr_warp_fold<{1}, lanes>(s{0});\n", m, fold(id));
      text += fmt::format("    if (r < rows && threadIdx.x % lanes == 0) {}[r] = {};\n", results_[at(m)],
                          folded(id, fmt::format("s{}", m)));
    }
    return text + "  }\n";
  }

  std::string blocks() const {
    std::string text =
        "  for (gr_int64 p = blockIdx.x; p < rows * pieces; p += gridDim.x) {\n"
        "    const gr_int64 r = p / pieces, begin = p % pieces * piece_length;\n"
        "    const gr_int64 end = r * length + (begin + piece_length < length ? begin + piece_length : length);\n" +
        starts() +
        "#pragma unroll 4\n    for (gr_int64 i = r * length + begin + threadIdx.x; i < end; i += blockDim.x) {\n" +
        body("      ") + "    }\n";
    for (const int id : folds_) {
      const int m = member_.at(id);
      const std::string sum = fmt::format("s{}", m);
      text += fmt::format("    s{0} = gr_block_fold<{1}>(s{0});\n", m, fold(id));
      text +=
          fmt::format("    if (threadIdx.x == 0) {}[p] = {};\n", results_[at(m)], made_.split ? sum : folded(id, sum));
    }
    return text + "  }\n";
  }

  std::string columns() const {
    std::string text =
        fmt::format("  constexpr int lanes = {};\n", made_.lanes) +
        "  const gr_int64 tiles = (rows + lanes - 1) / lanes;\n"
        "  for (gr_int64 p = blockIdx.x; p < tiles * pieces; p += gridDim.x) {\n"
        "    const gr_int64 r = p % tiles * lanes + threadIdx.x % lanes, piece = p / tiles;\n"
        "    const gr_int64 begin = piece * piece_length;\n"
        "    const gr_int64 end = r >= rows ? begin : begin + piece_length < length ? begin + "
        "piece_length : length;\n" +
        starts() +
        "#pragma unroll 4\n    for (gr_int64 e = begin + threadIdx.x / lanes; e < end; e += blockDim.x / lanes) {\n"
        "      const gr_int64 i = e * rows + r;\n" +
        body("      ") + "    }\n";
    for (const int id : folds_) {
      const int m = member_.at(id);
      const std::string sum = fmt::format("s{}", m);
      text += fmt::format("    s{0} = gr_column_fold<{1}, lanes>(s{0});\n", m, fold(id));
      text += fmt::format("    if (threadIdx.x < lanes && r < rows) {}[{}] = {};\n", results_[at(m)],
                          made_.split ? "r * pieces + piece" : "r", made_.split ? sum : folded(id, sum));
    }
    return text + "  }\n";
  }

  const Program& program_;
  const LoopSpace& space_;
  std::span<const int> nodes_;
  const MemoryPlan& memory_;
  std::map<int, int> member_;  // by node: its place among nodes_
  std::vector<int> folds_;
  std::vector<Read> reads_;
  Dims dims_;                         // of the space, axes merged
  std::vector<std::string> results_;  // by member: where it is written, and the table that it is written to
  std::vector<std::string> tables_;
  std::string row_start_, column_, row_, held_, parameters_;
  bool packed_ = false;
  LoopText made_;
};

}  // namespace

LoopText loop_text(const Program& program, const LoopSpace& space, std::span<const int> nodes,
                   const MemoryPlan& memory) {
  return Writer(program, space, nodes, memory).write();
}

}  // namespace gradus
