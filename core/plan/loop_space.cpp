#include <gradus/core/plan/loop_space.h>

#include <gradus/core/plan/schedule.h>

#include <algorithm>

namespace gradus {

namespace {

// The node on whose non-zeros or held rows a sparse node's numbers lie.
int source_of(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  if (node.type.layout == Layout::dense) return -1;
  if (holds_rows(node.type)) {
    const Expr source = program.facts.row_set(node.origin);
    return source.valid() ? source.id() : id;
  }
  // Operands of different patterns would have to be united first.
  Expr common;
  for (const int input : node.inputs) {
    const Expr& csr = program.nodes[static_cast<std::size_t>(input)].origin;
    if (csr.layout() != Layout::csr) continue;
    const Expr source = program.facts.pattern_source(csr);
    if (common.valid() && !same_node(source, common)) return id;
    common = source;
  }
  return common.valid() ? common.id() : id;
}

// Whether the axes folded are the last ones, or the first ones, those of size 1 apart.
std::optional<FoldRows::Of> rows_of_axes(const Shape& shape, unsigned axes) {
  std::vector<bool> goes;  // by stretch of neighbouring axes: whether they are folded
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool folded = ((axes >> static_cast<unsigned>(axis)) & 1U) != 0;
    if (shape[axis] != 1 && (goes.empty() || goes.back() != folded)) goes.push_back(folded);
  }
  if (goes.size() > 2) return std::nullopt;
  return goes.size() == 2 && goes.front() ? FoldRows::Of::columns : FoldRows::Of::equal;
}

}  // namespace

Fold fold_of(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  return node.op->fold(input_types(program, node));
}

std::vector<Type> loop_inputs(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  std::vector<Type> types = input_types(program, node);
  if (const Fold fold = node.op->fold(types); fold.second) types[1].shape = *fold.second;
  return types;
}

std::vector<std::int64_t> dims_of(const Type& type) {
  std::vector<std::int64_t> dims(type.shape.begin(), type.shape.end());
  if (type.layout == Layout::dense) std::erase(dims, 1);
  return dims;
}

std::optional<LoopSpace> loop_space(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  const std::vector<Type> types = input_types(program, node);
  if (node.op->row_kernel(types) != nullptr && node.op->formula(types).empty()) return std::nullopt;
  if (node.op->row_kernel(types) != nullptr)
    return LoopSpace{holds_rows(node.type) ? Layout::rows : node.type.layout, dims_of(node.type),
                     source_of(program, id)};
  const Fold fold = node.op->fold(types);
  if (fold.by == Fold::By::nothing || node.type.layout != Layout::dense || holds_rows(types[0])) return std::nullopt;
  if (types[0].layout == Layout::csr) {
    // Of a matrix's columns the non-zeros do not lie together.
    if (fold.axes == 1) return std::nullopt;
    return LoopSpace{Layout::csr, dims_of(types[0]),
                     program.facts.pattern_source(program.nodes[static_cast<std::size_t>(node.inputs[0])].origin).id()};
  }
  if (!rows_of_axes(types[0].shape, fold.axes)) return std::nullopt;
  return LoopSpace{Layout::dense, dims_of(types[0]), -1};
}

LoopOperand loop_operand(const Type& operand, const Type& result) {
  using Access = LoopOperand::Access;
  LoopOperand read;
  if (result.layout == Layout::dense) {
    if (operand.shape.size() == result.shape.size()) return read;
    if (operand.shape.size() == 1) return {Access::number, {}};
    read.access = Access::strided;
    const auto stride = broadcast_strides(operand.shape, result.shape);
    std::size_t next = 0;
    for (int axis = 0; axis < result.shape.rank(); ++axis)
      if (result.shape[axis] != 1) read.stride[next++] = stride[static_cast<std::size_t>(axis)];
    return read;
  }
  const bool same_shape = operand.shape == result.shape;
  if (operand.layout != Layout::dense && same_shape) return read;
  if (operand.layout == Layout::dense && operand.shape.size() == 1) return {Access::number, {}};
  read.access = operand.layout != Layout::dense ? Access::narrow
                : result.layout == Layout::csr  ? Access::gathered
                                                : Access::looked_up;
  read.stride = broadcast_strides(operand.shape, result.shape);
  return read;
}

FoldRows fold_rows(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  const Type& x = program.nodes[static_cast<std::size_t>(node.inputs[0])].type;
  const unsigned axes = fold_of(program, id).axes;
  if (x.layout == Layout::csr && (node.type.shape.size() != 1 || axes == 2)) return {FoldRows::Of::pattern, x.shape[0]};
  if (x.layout == Layout::csr) return {FoldRows::Of::equal, 1};
  return {*rows_of_axes(x.shape, axes), node.type.shape.size()};
}

}  // namespace gradus
