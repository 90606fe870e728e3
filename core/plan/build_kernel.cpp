#include <gradus/core/plan/build_kernel.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/schedule.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace gradus {

namespace {

using Access = LoopOperand::Access;

// Axes of size 1 within rows are none.
void drop_single_axes(Kernel& kernel) {
  for (std::size_t a = kernel.dims.size(); a-- > 1;) {
    if (kernel.dims[a] != 1) continue;
    kernel.dims.erase(kernel.dims.begin() + static_cast<std::ptrdiff_t>(a));
    for (Kernel::Read& read : kernel.reads) read.stride.erase(read.stride.begin() + static_cast<std::ptrdiff_t>(a));
    for (Kernel::Fold& fold : kernel.folds) {
      if (fold.axis > a) --fold.axis;
      if (fold.end > a) --fold.end;
    }
  }
}

// Neighbouring axes become one where every read steps through them as through one. Rows that are looked up stay apart,
// and axes that are summed from those that are not.
void merge_axes(Kernel& kernel) {
  const bool by_rows = kernel.looks_up();
  for (std::size_t b = kernel.dims.size(); b-- > 1;) {
    if (b == 1 && by_rows) return;
    if (std::any_of(kernel.folds.begin(), kernel.folds.end(),
                    [&](const Kernel::Fold& fold) { return fold.axis == b || fold.end == b; }))
      continue;
    if (std::any_of(kernel.reads.begin(), kernel.reads.end(), [&](const Kernel::Read& read) {
          return read.operand.access != Access::in_step && read.operand.access != Access::number &&
                 read.stride[b - 1] != read.stride[b] * kernel.dims[b];
        }))
      continue;
    kernel.dims[b - 1] *= kernel.dims[b];
    const auto place = static_cast<std::ptrdiff_t>(b);
    kernel.dims.erase(kernel.dims.begin() + place);
    for (Kernel::Read& read : kernel.reads) read.stride.erase(read.stride.begin() + place - 1);
    for (Kernel::Fold& fold : kernel.folds) {
      if (fold.axis > b) --fold.axis;
      if (fold.end > b) --fold.end;
    }
  }
}

}  // namespace

std::optional<LoopSpace> kernel_space(const Program& program, int id) {
  const ProgramNode& node = program.nodes[at(id)];
  if (!is_computed(node) || node.type.layout == Layout::csr || node.type.shape.size() == 0) return std::nullopt;
  const std::vector<Type> types = input_types(program, node);
  const bool elementwise = node.op->row_kernel(types) != nullptr;
  if (!elementwise && !looks_up_rows(*node.op, types)) return std::nullopt;
  for (std::size_t i = 0; i < types.size() && elementwise; ++i)
    if (types[i].layout == Layout::csr && node.op->reads(static_cast<int>(i))) return std::nullopt;
  if (elementwise) return loop_space(program, id);
  const Expr source = program.facts.row_set(node.origin);
  if (!source.valid()) return std::nullopt;
  return LoopSpace{Layout::rows, {node.type.shape.begin(), node.type.shape.end()}, source.id()};
}

std::optional<KernelFold> kernel_fold(const Program& program, int id, bool has_all) {
  constexpr std::int64_t longest = 4096;
  constexpr std::int64_t longest_run = 1 << 20;  // of longer ones sums are made in other pieces (ops/reduce.cpp)
  const ProgramNode& node = program.nodes[at(id)];
  if (!is_computed(node) || node.inputs.size() != 1 || !is_floating(node.type.dtype) ||
      node.type.layout != Layout::dense)
    return std::nullopt;
  const Fold fold = fold_of(program, id);
  const Type& type = program.nodes[at(node.inputs[0])].type;
  const Type& made = program.nodes[at(program.root(node.inputs[0]))].type;
  if (fold.by != Fold::By::sum || fold.term != "x0" || type.layout != Layout::dense || made.layout != Layout::dense)
    return std::nullopt;
  const std::vector<std::int64_t> dims = dims_of(type);
  if (dims != dims_of(made)) return std::nullopt;
  std::vector<bool> folded;  // by axis of the space
  for (int axis = 0; axis < type.shape.rank(); ++axis)
    if (type.shape[axis] != 1) folded.push_back(((fold.axes >> static_cast<unsigned>(axis)) & 1U) != 0);
  const auto first = std::find(folded.begin(), folded.end(), true);
  const auto last = std::find(first, folded.end(), false);
  if (first == folded.end() || std::find(last, folded.end(), true) != folded.end()) return std::nullopt;
  const auto axis = static_cast<std::size_t>(first - folded.begin()),
             end = static_cast<std::size_t>(last - folded.begin());
  const bool sums_all = axis == 0 && end == dims.size();
  std::int64_t inner = 1;  // what a kernel keeps of a row that is summed, or of sums over rows
  for (std::size_t a = sums_all && has_all ? 0 : axis == 0 && !sums_all ? end : 1; a < dims.size(); ++a)
    inner *= dims[a];
  if (inner > (sums_all && !has_all ? longest_run : longest)) return std::nullopt;
  return KernelFold{axis, end, fold.scale};
}

Kernel make_kernel(const Program& program, const LoopSpace& space, std::span<const int> nodes, bool has_all,
                   const std::function<bool(int)>& is_stored, const std::function<int(int)>& table) {
  Kernel kernel{space, space.dims, {}, {}, {}};
  std::unordered_map<int, int> step_of;  // by node
  for (const int id : nodes) {
    const ProgramNode& node = program.nodes[at(id)];
    const std::vector<Type> types = input_types(program, node);
    if (const auto fold = node.type.layout == Layout::dense ? kernel_fold(program, id, has_all) : std::nullopt) {
      kernel.folds.push_back(
          {id, step_of.at(program.root(node.inputs[0])), node.type.dtype, fold->axis, fold->end, fold->scale});
      continue;
    }
    const bool looks_up = looks_up_rows(*node.op, types);
    const int number = static_cast<int>(kernel.steps.size());
    Kernel::Step step{id, node.type.dtype, node.op->formula(types), {}, {}, {}, is_stored(id), table(id)};
    for (int i = 0; i < (looks_up ? 1 : static_cast<int>(types.size())); ++i) {
      if (!node.op->reads(i)) continue;
      step.inputs.push_back(i);
      step.types.push_back(types[at(i)].dtype);
      const int input = node.inputs[at(i)];
      if (const auto made = step_of.find(program.root(input)); made != step_of.end()) {
        step.operands.push_back({true, made->second});
        continue;
      }
      const LoopOperand operand = loop_operand(types[at(i)], node.type);
      const auto same = std::find_if(kernel.reads.begin(), kernel.reads.end(), [&](const Kernel::Read& read) {
        return read.node == input && read.operand == operand;
      });
      step.operands.push_back({false, static_cast<int>(same - kernel.reads.begin())});
      if (same != kernel.reads.end()) continue;
      const std::vector<std::int64_t> stride(operand.stride.begin(), operand.stride.begin() + std::ssize(space.dims));
      const Expr& origin = program.nodes[at(input)].origin;
      const std::optional<double> value =
          origin.kind() == Kind::constant && is_floating(origin.dtype()) ? constant_number(origin) : std::nullopt;
      kernel.reads.push_back({input, number, i, operand, stride, types[at(i)].dtype, value});
    }
    step_of[id] = number;
    kernel.steps.push_back(std::move(step));
  }
  if (kernel.dims.empty()) {  // numbers
    kernel.dims.push_back(1);
    for (Kernel::Read& read : kernel.reads) read.stride.push_back(0);
  }
  // What is there and summed whole is one row.
  const auto sums_all = [&](const Kernel::Fold& fold) { return fold.axis == 0 && fold.end == kernel.dims.size(); };
  if (has_all && std::any_of(kernel.folds.begin(), kernel.folds.end(), sums_all)) {
    kernel.dims.insert(kernel.dims.begin(), 1);
    for (Kernel::Read& read : kernel.reads) read.stride.insert(read.stride.begin(), 0);
    for (Kernel::Fold& fold : kernel.folds) {
      ++fold.axis;
      ++fold.end;
    }
  }
  drop_single_axes(kernel);
  merge_axes(kernel);
  return kernel;
}

}  // namespace gradus
