#include <gradus/core/joined_update.h>

#include <gradus/core/at.h>

#include <algorithm>

namespace gradus {

namespace {

const ProgramNode& node_of(const Program& program, int id) { return program.nodes[at(id)]; }

// second = f(variable, rate, slope, first) with first = f(slope, slope, state).
JoinedNodes updates_of(const Program& program, int second) {
  const std::vector<int>& inputs = node_of(program, second).inputs;
  if (inputs.size() != 4) return {};
  const int first = program.root(inputs[3]);
  const std::vector<int>& of_first = node_of(program, first).inputs;
  if (of_first.size() != 3 || of_first[0] != inputs[2] || of_first[1] != inputs[2]) return {};
  return {
      .state = program.root(of_first[2]), .first = first, .variable = inputs[0], .rate = inputs[1], .slope = inputs[2]};
}

// The same where the slope is computed in the loop, from a column, rows and rows.
JoinedNodes with_slope(const Program& program, const JoinedNodes& updates) {
  JoinedNodes nodes = updates;
  nodes.whole_slope = program.root(updates.slope);
  const std::vector<int>& inputs = node_of(program, nodes.whole_slope).inputs;
  if (inputs.size() != 3) return {};
  nodes.column = inputs[0];
  nodes.factor = inputs[1];
  nodes.slope = inputs[2];
  return nodes;
}

class Joining {
 public:
  Joining(const Program& program, const Group& group, std::span<const int> readers, MemoryPlan& plan)
      : program_(program), group_(group), readers_(readers), plan_(plan) {}

  void join(int id) const {
    const JoinedNodes updates = updates_of(program_, id);
    if (!is_update(id, 0) || updates.first < 0 || !is_update(updates.first, 1) || !fits(id, updates)) return;
    plan_.joined[at(updates.first)] = id;
    plan_.joined[at(updates.state)] = id;
    const JoinedNodes nodes = with_slope(program_, updates);
    if (nodes.first >= 0 && is_here(nodes.whole_slope, 3) && plan_.scattered[at(nodes.whole_slope)] < 0 &&
        has_column(id, nodes.column) && fits(id, nodes))
      plan_.joined[at(nodes.whole_slope)] = id;
  }

 private:
  const ProgramNode& node(int id) const { return node_of(program_, id); }
  bool is_here(int id, int times_read) const {
    return std::find(group_.nodes.begin(), group_.nodes.end(), id) != group_.nodes.end() &&
           readers_[at(id)] == times_read;
  }
  bool is_update(int id, int times_read) const { return is_here(id, times_read) && plan_.scattered[at(id)] >= 0; }
  bool holds_rows(int id) const { return node(id).type.layout == Layout::rows || node(id).type.layout == Layout::part; }
  bool has_rows_of(int id, int operand) const {
    return holds_rows(operand) && node(operand).type.shape == node(id).type.shape;
  }
  bool has_column(int id, int operand) const {
    const Shape& shape = node(operand).type.shape;
    return holds_rows(operand) && shape.size() == shape[0] && shape[0] == node(id).type.shape[0];
  }

  bool fits(int id, const JoinedNodes& nodes) const {
    const Type& rate = node(nodes.rate).type;
    // Nobody but the update writes the state's table, so it may be read as late as that.
    const ProgramNode& state = node(nodes.state);
    return has_rows_of(id, nodes.variable) && has_rows_of(id, nodes.slope) &&
           (nodes.factor < 0 || has_rows_of(id, nodes.factor)) && rate.layout == Layout::dense &&
           rate.shape.size() == 1 && is_here(nodes.state, 1) && state.op->looks_up_rows() &&
           program_.root(state.inputs[0]) == plan_.scattered[at(nodes.first)] &&
           joined_kernel(program_, nodes, id) != nullptr;
  }

  const Program& program_;
  const Group& group_;
  std::span<const int> readers_;
  MemoryPlan& plan_;
};

}  // namespace

JoinedNodes joined_with(const Program& program, const MemoryPlan& memory, int second) {
  const JoinedNodes updates = updates_of(program, second);
  if (updates.first < 0 || memory.joined[at(updates.first)] != second) return {};
  return memory.joined[at(program.root(updates.slope))] == second ? with_slope(program, updates) : updates;
}

JoinedKernel joined_kernel(const Program& program, const JoinedNodes& nodes, int second) {
  const ProgramNode& node = node_of(program, second);
  const Op* slope = nodes.whole_slope < 0 ? nullptr : node_of(program, nodes.whole_slope).op;
  return node.op->joined_kernel(*node_of(program, nodes.first).op, slope, input_types(program, node));
}

void choose_joined(const Program& program, const Schedule& schedule, std::span<const int> readers, MemoryPlan& plan) {
  for (const Group& group : schedule.groups)
    if (group.touched_by >= 0 && group.strip_rows > 0)
      for (const int id : group.nodes) Joining(program, group, readers, plan).join(id);
}

}  // namespace gradus
