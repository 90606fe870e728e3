#include <gradus/core/kernel/gpu_element.h>

#include <gradus/core/device/accelerator.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace gradus {

namespace {

using What = GpuArgument::What;
using Form = GpuText::Form;

// Steps along these axes, whose coordinates are c0, c1, ...
std::string offset(const std::vector<std::int64_t>& stride, std::size_t first) {
  std::string sum;
  for (std::size_t a = first; a < stride.size(); ++a)
    if (stride[a] != 0) sum += (sum.empty() ? "" : " + ") + steps_of(fmt::format("c{}", a), stride[a]);
  return sum;
}

std::int64_t row_size(const Kernel& kernel) { return std::max<std::int64_t>(1, kernel.inner()); }

// Divisions of 32 bits are several times faster.
std::string_view index_type(const Kernel& kernel) {
  return kernel.space.layout == Layout::dense && kernel.inner(0) <= INT32_MAX ? "unsigned" : "gr_uint64";
}

}  // namespace

std::string steps_of(std::string_view coordinate, std::int64_t step) {
  return step == 1 ? std::string(coordinate) : fmt::format("gr_int64({}) * {}", coordinate, step);
}

GpuElement::GpuElement(const Kernel& kernel, GpuText& made)
    : kernel_(kernel),
      made_(made),
      functions_(step_functions(kernel, "__device__ inline", [](DType dtype, bool) { return cuda_name(dtype); })) {
  add_reads();
  add_results();
  choose_packs();
}

bool GpuElement::any_read(bool (*wanted)(Access)) const {
  return std::any_of(kernel_.reads.begin(), kernel_.reads.end(),
                     [&](const Kernel::Read& read) { return wanted(read.operand.access); });
}

std::string GpuElement::argument(What what, int node, std::string_view declaration) {
  std::string name = fmt::format("p{}", made_.arguments.size());
  made_.arguments.push_back({what, node});
  parameters_ += fmt::format(", {} {}", declaration, name);
  return name;
}

void GpuElement::add_reads() {
  for (const Kernel::Read& read : kernel_.reads)
    pointers_.push_back(argument(What::read, read.node, fmt::format("const {}*", cuda_name(read.dtype))));
  const auto steps = [&](Access access, std::size_t axis) {
    return std::any_of(kernel_.reads.begin(), kernel_.reads.end(), [&](const Kernel::Read& read) {
      return read.operand.access == access && read.stride[axis] != 0;
    });
  };
  const Layout layout = kernel_.space.layout;
  const bool by_pattern = layout == Layout::csr && made_.form == Form::warps;
  if (by_pattern) row_start_ = argument(What::row_start, -1, "const gr_int64*");
  if (layout == Layout::csr && steps(Access::gathered, 1)) column_ = argument(What::column, -1, "const int*");
  if (layout == Layout::csr && steps(Access::gathered, 0))
    row_ = by_pattern ? "r" : argument(What::row, -1, "const int*") + "[i]";
  const bool tables =
      std::any_of(kernel_.steps.begin(), kernel_.steps.end(), [](const auto& step) { return step.table >= 0; });
  if (tables || (layout == Layout::rows && steps(Access::looked_up, 0)))
    held_ = argument(What::held_rows, -1, "const int*");
}

void GpuElement::add_results() {
  for (const Kernel::Step& step : kernel_.steps) {
    const std::string pointer = fmt::format("{}*", cuda_name(step.dtype));
    results_.push_back(step.stored ? argument(What::written, step.node, pointer) : "");
    tables_.push_back(step.table >= 0 ? argument(What::table, step.table, pointer) : "");
  }
  for (const Kernel::Fold& fold : kernel_.folds)
    folded_.push_back(argument(made_.split ? What::parts : What::written, fold.node,
                               fmt::format("{}*", made_.split ? fold_type(fold) : cuda_name(fold.dtype))));
}

// Where all operands are read in step, and nothing goes by rows, several values are read at once.
void GpuElement::choose_packs() {
  if (made_.form != Form::elements || !held_.empty() ||
      any_read([](Access access) { return access != Access::in_step && access != Access::number; }))
    return;
  std::size_t widest = 1;
  for (const Kernel::Step& step : kernel_.steps) widest = std::max(widest, size_of(step.dtype));
  for (const Kernel::Read& read : kernel_.reads) widest = std::max(widest, size_of(read.dtype));
  made_.packed = true;
  made_.lanes = static_cast<int>(16 / widest);
}

std::string GpuElement::numbers() const {
  std::string text;
  for (std::size_t k = 0; k < kernel_.reads.size(); ++k)
    if (access(k) == Access::number)
      text += fmt::format("  const {} a{} = {}[0];\n", cuda_name(kernel_.reads[k].dtype), k, pointers_[k]);
  return text;
}

// Coordinates c0, c1, ... of element `index` along the axes from the first.
std::string GpuElement::coordinates(std::string_view index, std::size_t first, std::string_view indent) const {
  const std::string_view type = index_type(kernel_);
  std::string text = fmt::format("{}{} rest = {};\n", indent, type, index);
  for (std::size_t a = kernel_.dims.size(); a-- > first + 1;) {
    const std::int64_t dim = std::max<std::int64_t>(1, kernel_.dims[a]);
    text += fmt::format("{}const {} c{} = rest % {};\n{}rest /= {};\n", indent, type, a, dim, indent, dim);
  }
  return text + fmt::format("{}const {} c{} = rest;\n", indent, type, first);
}

// Whether an operand's rows are as the space's, so that element j of one is element j of the other.
bool GpuElement::whole_rows(const Kernel::Read& read) const {
  std::int64_t step = 1;
  for (std::size_t a = kernel_.dims.size(); a-- > 1; step *= kernel_.dims[a])
    if (kernel_.dims[a] != 1 && read.stride[a] != step) return false;
  return true;
}

std::string GpuElement::address(const Kernel::Read& read) const {
  std::string sum;
  const auto add = [&](const std::string& term) {
    if (!term.empty()) sum += (sum.empty() ? "" : " + ") + term;
  };
  if (read.operand.access == Access::in_step) return "i";
  if (read.operand.access == Access::strided) add(offset(read.stride, 0));
  if (read.operand.access == Access::gathered) {
    if (read.stride[0] != 0) add(steps_of(row_, read.stride[0]));
    if (read.stride[1] != 0) add(steps_of(column_ + "[i]", read.stride[1]));
  }
  if (read.operand.access == Access::looked_up || read.operand.access == Access::narrow) {
    const std::string row = read.operand.access == Access::narrow ? "h" : held_ + "[h]";
    if (read.stride[0] != 0) add(steps_of(row, read.stride[0]));
    add(whole_rows(read) ? "j" : offset(read.stride, 1));
  }
  return sum.empty() ? "0" : sum;
}

std::string GpuElement::add_to_fold(std::size_t f, std::string_view indent) const {
  const Kernel::Fold& fold = kernel_.folds[f];
  if (fold.matrix)
    return fmt::format(
        "#pragma unroll\n"
        "{0}for (int c = 0; c < {1}; ++c) s{2}[l][c] = gr_add(s{2}[l][c], gr_multiply(v{3}, m{2}[c]));\n",
        indent, fold.width(), f, fold.step);
  return fmt::format("{0}s{1}{2} = {3}::fold(s{1}{2}, {4}(v{5}));\n", indent, f, made_.at_once > 0 ? "[l]" : "",
                     fold_name(fold.by), fold_type(fold), fold.step);
}

std::string GpuElement::body(std::string_view indent, const Place& place, bool in_pack) const {
  std::string text;
  const auto by_row = [](Access access) { return access == Access::looked_up || access == Access::narrow; };
  const bool strided = any_read([](Access access) { return access == Access::strided; });
  const bool is_row = kernel_.dims.size() == 2 && !kernel_.folds.empty() && kernel_.folds.front().axis < 2;
  if (strided && !place[0].empty() && is_row)
    text += fmt::format("{0}const {1} c0 = {2}, c1 = {3};\n", indent, index_type(kernel_), place[0], place[1]);
  else if (strided)
    text += coordinates("i", 0, indent);
  if (kernel_.space.layout == Layout::rows && (!held_.empty() || any_read(by_row))) {
    text +=
        fmt::format("{0}const gr_uint64 h = gr_uint64(i) / {1}, j = gr_uint64(i) % {1};\n", indent, row_size(kernel_));
    if (kernel_.dims.size() > 1 &&
        std::any_of(kernel_.reads.begin(), kernel_.reads.end(),
                    [&](const Kernel::Read& read) { return by_row(read.operand.access) && !whole_rows(read); }))
      text += coordinates("j", 1, indent);
  }
  for (std::size_t k = 0; k < kernel_.reads.size(); ++k) {
    if (access(k) == Access::number || access(k) == Access::matrix) continue;
    text += fmt::format(
        "{}const {} a{} = {};\n", indent, cuda_name(kernel_.reads[k].dtype), k,
        in_pack ? fmt::format("b{}.of[l]", k) : fmt::format("{}[{}]", pointers_[k], address(kernel_.reads[k])));
  }
  for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
    const Kernel::Step& step = kernel_.steps[m];
    std::string operands;
    for (const Kernel::Operand& operand : step.operands)
      operands += fmt::format("{}{}{}", operands.empty() ? "" : ", ", operand.computed ? "v" : "a", operand.index);
    text +=
        fmt::format("{}const {} v{} = f{}({});\n", indent, cuda_name(step.dtype), m, functions_.of_step[m], operands);
  }
  for (std::size_t f = 0; f < kernel_.folds.size(); ++f) text += add_to_fold(f, indent);
  // All is read before anything is written: a result may lie where an operand does.
  for (std::size_t m = 0; m < kernel_.steps.size(); ++m) {
    if (!results_[m].empty())
      text += fmt::format("{}{} = v{};\n", indent,
                          in_pack ? fmt::format("y{}.of[l]", m) : fmt::format("{}[i]", results_[m]), m);
    if (!tables_[m].empty())
      text += fmt::format("{}{}[gr_int64({}[h]) * {} + j] = v{};\n", indent, tables_[m], held_, row_size(kernel_), m);
  }
  return text;
}

std::string GpuElement::read_packs() const {
  std::string text;
  for (std::size_t k = 0; k < kernel_.reads.size(); ++k)
    if (access(k) == Access::in_step)
      text += fmt::format("    const Pack<{0}, {1}> b{2} = reinterpret_cast<const Pack<{0}, {1}>*>({3})[q];\n",
                          cuda_name(kernel_.reads[k].dtype), made_.lanes, k, pointers_[k]);
  for (std::size_t m = 0; m < kernel_.steps.size(); ++m)
    if (!results_[m].empty())
      text += fmt::format("    Pack<{}, {}> y{};\n", cuda_name(kernel_.steps[m].dtype), made_.lanes, m);
  return text;
}

std::string GpuElement::write_packs() const {
  std::string text;
  for (std::size_t m = 0; m < kernel_.steps.size(); ++m)
    if (!results_[m].empty())
      text += fmt::format("    reinterpret_cast<Pack<{}, {}>*>({})[q] = y{};\n", cuda_name(kernel_.steps[m].dtype),
                          made_.lanes, results_[m], m);
  return text;
}

}  // namespace gradus
