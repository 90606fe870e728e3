#include <gradus/core/joined_update.h>

#include <gradus/core/at.h>

#include <algorithm>

namespace gradus {

namespace {

// The operands of `id` joined with its last input, where that is an op of three.
JoinedNodes joined_nodes(const Program& program, int id) {
  JoinedNodes nodes{-1, -1, -1, -1, -1};
  const ProgramNode& second = program.nodes[at(id)];
  if (second.inputs.size() != 4) return nodes;
  const int first = program.root(second.inputs[3]);
  const std::vector<int>& inputs = program.nodes[at(first)].inputs;
  if (inputs.size() != 3 || inputs[0] != second.inputs[2] || inputs[1] != second.inputs[2]) return nodes;
  return {program.root(inputs[2]), first, second.inputs[0], second.inputs[1], second.inputs[2]};
}

}  // namespace

JoinedNodes joined_with(const Program& program, const MemoryPlan& memory, int second) {
  const JoinedNodes nodes = joined_nodes(program, second);
  return nodes.first >= 0 && memory.joined[at(nodes.first)] == second ? nodes : JoinedNodes{-1, -1, -1, -1, -1};
}

void choose_joined(const Program& program, const Schedule& schedule, std::span<const int> readers, MemoryPlan& plan) {
  const auto node = [&](int id) -> const ProgramNode& { return program.nodes[at(id)]; };
  for (const Group& group : schedule.groups) {
    if (group.touched_by < 0 || group.strip_rows == 0) continue;
    const auto updates = [&](int id, int times_read) {
      return std::find(group.nodes.begin(), group.nodes.end(), id) != group.nodes.end() &&
             plan.scattered[at(id)] >= 0 && readers[at(id)] == times_read;
    };
    for (const int id : group.nodes) {
      if (!updates(id, 0)) continue;
      const auto [state, first, variable, rate, slope] = joined_nodes(program, id);
      if (first < 0 || !updates(first, 1)) continue;
      const Type& row = node(id).type;
      const auto has_rows = [&, type = &row](int operand) {
        const Type& of = node(operand).type;
        return of.layout != Layout::dense && of.shape == type->shape;
      };
      const bool fits = has_rows(variable) && has_rows(slope) && node(rate).type.layout == Layout::dense &&
                        node(rate).type.shape.size() == 1;
      // Nobody but the update writes the state's table, so it may be read as late as that.
      const bool state_fits = node(state).kind == Kind::op && node(state).op->looks_up_rows() &&
                              readers[at(state)] == 1 &&
                              program.root(node(state).inputs[0]) == plan.scattered[at(first)];
      if (!fits || !state_fits ||
          node(id).op->joined_kernel(*node(first).op, input_types(program, node(id))) == nullptr)
        continue;
      plan.joined[at(first)] = id;
      plan.joined[at(state)] = id;
    }
  }
}

}  // namespace gradus
