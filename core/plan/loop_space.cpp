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

const Type& folded_type(const Program& program, int id, const Fold& fold) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  return program.nodes[static_cast<std::size_t>(node.inputs[static_cast<std::size_t>(fold.of)])].type;
}

}  // namespace

bool is_fold(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  const std::vector<Type> types = input_types(program, node);
  return node.op->row_kernel(types) == nullptr && !looks_up_rows(*node.op, types);
}

Fold fold_of(const Program& program, int id) {
  const ProgramNode& node = program.nodes[static_cast<std::size_t>(id)];
  return node.op->fold(input_types(program, node));
}

std::optional<FoldedAxes> folded_axes(const Program& program, int id) {
  const Fold fold = fold_of(program, id);
  const Type& type = folded_type(program, id, fold);
  std::vector<bool> folded;  // by axis of the space
  for (int axis = 0; axis < type.shape.rank(); ++axis)
    if (type.layout != Layout::dense || type.shape[axis] != 1)
      folded.push_back(((fold.axes >> static_cast<unsigned>(axis)) & 1U) != 0);
  const auto first = std::find(folded.begin(), folded.end(), true);
  const auto last = std::find(first, folded.end(), false);
  if (std::find(last, folded.end(), true) != folded.end()) return std::nullopt;
  return FoldedAxes{static_cast<std::size_t>(first - folded.begin()), static_cast<std::size_t>(last - folded.begin())};
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
  if (fold.by == Fold::By::nothing || node.type.layout != Layout::dense) return std::nullopt;
  const Type& folded = folded_type(program, id, fold);
  const std::optional<FoldedAxes> axes = folded_axes(program, id);
  const std::vector<std::int64_t> dims = dims_of(folded);
  if (holds_rows(folded) || !axes || (axes->axis > 0 && axes->end < dims.size())) return std::nullopt;
  if (folded.layout == Layout::dense) return LoopSpace{Layout::dense, dims, -1};
  // Of a matrix's columns the non-zeros do not lie together.
  if (axes->end < dims.size()) return std::nullopt;
  return LoopSpace{Layout::csr, dims,
                   program.facts.pattern_source(program.nodes[static_cast<std::size_t>(node.inputs[0])].origin).id()};
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
  const Fold fold = fold_of(program, id);
  const Type& x = folded_type(program, id, fold);
  const FoldedAxes axes = *folded_axes(program, id);
  if (x.layout == Layout::csr) return axes.axis == 1 ? FoldRows{FoldRows::Of::pattern, x.shape[0]} : FoldRows{};
  const std::vector<std::int64_t> dims = dims_of(x);
  FoldRows rows{axes.end < dims.size() ? FoldRows::Of::columns : FoldRows::Of::equal, 1};
  for (std::size_t a = 0; a < dims.size(); ++a)
    if (a < axes.axis || a >= axes.end) rows.count *= dims[a];
  return rows;
}

}  // namespace gradus
