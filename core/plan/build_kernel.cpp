#include <gradus/core/plan/build_kernel.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/schedule.h>

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace gradus {

namespace {

using Access = LoopOperand::Access;

// What is there and summed whole is one row.
void put_in_one_row(Kernel& kernel) {
  const auto sums_all = [&](const Kernel::Fold& fold) { return fold.axis == 0 && fold.end == kernel.dims.size(); };
  if (std::none_of(kernel.folds.begin(), kernel.folds.end(), sums_all)) return;
  kernel.dims.insert(kernel.dims.begin(), 1);
  for (Kernel::Read& read : kernel.reads) read.stride.insert(read.stride.begin(), 0);
  for (Kernel::Fold& fold : kernel.folds) {
    ++fold.axis;
    ++fold.end;
  }
}

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
                 read.operand.access != Access::matrix && read.stride[b - 1] != read.stride[b] * kernel.dims[b];
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

class Builder {
 public:
  Builder(const Program& program, const LoopSpace& space) : program_(program), made_{space, space.dims, {}, {}, {}} {}

  void add_step(int id, bool stored, int table) {
    const ProgramNode& node = node_of(id);
    const std::vector<Type> types = input_types(program_, node);
    Kernel::Step step{id, node.type.dtype, node.op->formula(types), {}, {}, {}, stored, table};
    add_operands(step, types, looks_up_rows(*node.op, types) ? 1 : types.size(), node.type);
    step_of_[id] = push(std::move(step));
  }

  void add_fold(int id) {
    const ProgramNode& node = node_of(id);
    const Fold fold = fold_of(program_, id);
    const FoldedAxes axes = *folded_axes(program_, id);
    const int folded = node.inputs[at(fold.of)];
    const auto computed = fold.term == "x0" ? step_of_.find(program_.root(folded)) : step_of_.end();
    const int step = computed != step_of_.end() ? computed->second : add_term(id, fold);
    Kernel::Fold made{id, step, node.type.dtype, fold.by, axes.axis, axes.end, fold.scale};
    if (fold.matrix) {
      made.matrix = fold.matrix;
      made.matrix_read = read_of(id, step, 1 - fold.of, {Access::matrix, {}}, node.type.dtype);
    }
    made_.folds.push_back(made);
  }

  Kernel kernel(bool has_all) {
    if (made_.dims.empty()) {  // numbers
      made_.dims.push_back(1);
      for (Kernel::Read& read : made_.reads) read.stride.push_back(0);
      for (Kernel::Fold& fold : made_.folds) fold.end = 1;
    }
    if (made_.space.layout == Layout::csr) return std::move(made_);
    if (has_all) put_in_one_row(made_);
    drop_single_axes(made_);
    merge_axes(made_);
    return std::move(made_);
  }

 private:
  const ProgramNode& node_of(int id) const { return program_.nodes[at(id)]; }

  int push(Kernel::Step step) {
    made_.steps.push_back(std::move(step));
    return static_cast<int>(made_.steps.size()) - 1;
  }

  // The terms of a fold that no step computes.
  int add_term(int id, const Fold& fold) {
    const std::vector<Type> types = loop_inputs(program_, id);
    const Type& folded = types[at(fold.of)];
    Kernel::Step step{id, folded.dtype, fold.term, {}, {}, {}, false, -1};
    if (fold.matrix) {
      add_operand(step, fold.of, folded, folded);
      step.inputs = {0};
    } else {
      add_operands(step, types, types.size(), folded);
    }
    return push(std::move(step));
  }

  void add_operands(Kernel::Step& step, const std::vector<Type>& types, std::size_t count, const Type& result) {
    for (std::size_t i = 0; i < count; ++i)
      if (node_of(step.node).op->reads(static_cast<int>(i))) add_operand(step, static_cast<int>(i), types[i], result);
  }

  void add_operand(Kernel::Step& step, int i, const Type& type, const Type& result) {
    step.inputs.push_back(i);
    step.types.push_back(type.dtype);
    const auto computed = step_of_.find(program_.root(node_of(step.node).inputs[at(i)]));
    if (computed != step_of_.end()) {
      step.operands.push_back({true, computed->second});
    } else {
      const int number = static_cast<int>(made_.steps.size());
      step.operands.push_back({false, read_of(step.node, number, i, loop_operand(type, result), type.dtype)});
    }
  }

  // The number of the read of input i of a node, made where it is new.
  int read_of(int id, int step, int i, const LoopOperand& operand, DType dtype) {
    const int input = node_of(id).inputs[at(i)];
    const auto same = std::find_if(made_.reads.begin(), made_.reads.end(), [&](const Kernel::Read& read) {
      return read.node == input && read.operand == operand;
    });
    if (same != made_.reads.end()) return static_cast<int>(same - made_.reads.begin());
    const std::vector<std::int64_t> stride(operand.stride.begin(), operand.stride.begin() + std::ssize(made_.dims));
    const Expr& origin = node_of(input).origin;
    const std::optional<double> value =
        origin.kind() == Kind::constant && is_floating(origin.dtype()) ? constant_number(origin) : std::nullopt;
    made_.reads.push_back({input, step, i, operand, stride, dtype, value});
    return static_cast<int>(made_.reads.size()) - 1;
  }

  const Program& program_;
  Kernel made_;
  std::unordered_map<int, int> step_of_;  // by node
};

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

std::optional<FoldedAxes> kernel_fold(const Program& program, int id, bool has_all) {
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
  const std::optional<FoldedAxes> axes = folded_axes(program, id);
  if (!axes || axes->axis == axes->end) return std::nullopt;
  const auto [axis, end] = *axes;
  const bool sums_all = axis == 0 && end == dims.size();
  std::int64_t inner = 1;  // what a kernel keeps of a row that is summed, or of sums over rows
  for (std::size_t a = sums_all && has_all ? 0 : axis == 0 && !sums_all ? end : 1; a < dims.size(); ++a)
    inner *= dims[a];
  if (inner > (sums_all && !has_all ? longest_run : longest)) return std::nullopt;
  return axes;
}

Kernel make_kernel(const Program& program, const LoopSpace& space, std::span<const int> nodes, bool has_all,
                   const std::function<bool(int)>& is_stored, const std::function<int(int)>& table) {
  Builder builder(program, space);
  for (const int id : nodes) {
    if (is_fold(program, id)) {
      builder.add_fold(id);
    } else {
      builder.add_step(id, is_stored(id), table(id));
    }
  }
  return builder.kernel(has_all);
}

Kernel make_kernel(const Program& program, std::span<const int> nodes, const MemoryPlan& memory) {
  return make_kernel(
      program, *loop_space(program, nodes.front()), nodes, true, [&](int id) { return memory.kept[at(id)]; },
      [&](int id) { return memory.scattered[at(id)]; });
}

}  // namespace gradus
