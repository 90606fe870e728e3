#include <gradus/core/plan/fused_update.h>

#include <gradus/core/at.h>
#include <gradus/core/cpu.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace gradus {

namespace {

// Where the operands of a fused loop come from, by node; -1 for what it has not.
struct Match {
  const FusedSteps* steps = nullptr;
  std::vector<int> step;             // the nodes of the steps
  std::array<int, 2> state{-1, -1};  // the rows of the states that are read
  int old = -1;                      // those of the variable
  std::vector<int> numbers;
  int gradient = -1;        // what is read as the gradient. Where the loop computes the gradient,
  int whole_gradient = -1;  // which is this node,
  int column = -1;          // the product of column and factor is added to it.
  int factor = -1;
};

const ProgramNode& node_of(const Program& program, int id) { return program.nodes[at(id)]; }

bool is_number(const Type& type) { return type.layout == Layout::dense && type.shape.size() == 1; }

// Reads a plan's nodes as the steps of an update, from the last one back.
class Reading {
 public:
  Reading(const Program& program, const FusedSteps& steps) : program_(program) {
    match_.steps = &steps;
    match_.step.assign(steps.count, -1);
  }

  std::optional<Match> of(int last) {
    if (!is_step(last, match_.steps->count - 1)) return {};
    for (std::size_t k = 0; k < match_.steps->count; ++k) {
      const std::string_view operands = match_.steps->step[k].operands;
      for (std::size_t i = 0; i < operands.size(); ++i)
        if (operands[i] == 'n') match_.numbers.push_back(node_of(program_, match_.step[k]).inputs[i]);
    }
    return match_;
  }

 private:
  static bool bind(int& place, int id) {
    if (place < 0) place = id;
    return place == id;
  }
  bool is_step(int id, std::size_t k) {
    if (match_.step[k] >= 0) return match_.step[k] == id;
    match_.step[k] = id;
    const ProgramNode& node = node_of(program_, id);
    const FusedSteps::Step& step = match_.steps->step[k];
    if (!is_computed(node) || node.op->name() != step.op || node.inputs.size() != step.operands.size()) return false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (!is_operand(node.inputs[i], step.operands[i])) return false;
    return true;
  }
  bool is_operand(int input, char letter) {
    const int root = program_.root(input);
    switch (letter) {
      case 'v': return bind(match_.old, input);
      case 'g': return bind(match_.gradient, input);
      case 'n': return is_number(node_of(program_, input).type);
      case '0':
      case '1': return bind(match_.state[at(letter - '0')], root);
      default: return is_step(root, at(letter - 'A'));
    }
  }

  const Program& program_;
  Match match_;
};

// The same update with its gradient computed in the loop.
std::optional<Match> with_gradient(const Program& program, Match match) {
  match.whole_gradient = program.root(match.gradient);
  const ProgramNode& node = node_of(program, match.whole_gradient);
  if (!is_computed(node) || node.op->name() != match.steps->gradient) return {};
  match.column = node.inputs[0];
  match.factor = node.inputs[1];
  match.gradient = node.inputs[2];
  return match;
}

FusedKernel kernel_of(const Match& match, DType dtype) {
  return match.steps->kernel[static_cast<std::size_t>(isa())][static_cast<std::size_t>(dtype)];
}

// What the plan fused with node `id`.
std::optional<Match> match_at(const Program& program, const MemoryPlan& memory, int id) {
  const auto is_fused = [&](int other) { return memory.fused[at(other)] == id; };
  if (!is_fused(id)) return {};
  for (const FusedSteps& steps : node_of(program, id).op->fused_steps()) {
    const std::optional<Match> match = Reading(program, steps).of(id);
    if (!match || !std::all_of(match->step.begin(), match->step.end(), is_fused)) continue;
    return is_fused(program.root(match->gradient)) ? with_gradient(program, *match) : match;
  }
  return {};
}

class Joining {
 public:
  Joining(const Program& program, std::span<const int> group_of, std::span<const int> readers, MemoryPlan& plan)
      : program_(program), group_of_(group_of), readers_(readers), plan_(plan) {}

  void join(int id) {
    group_ = group_of_[at(id)];
    if (plan_.scattered[at(id)] < 0 || readers_[at(id)] != 0) return;
    for (const FusedSteps& steps : node(id).op->fused_steps()) {
      const std::optional<Match> match = Reading(program_, steps).of(id);
      if (!match || !fits(id, *match)) continue;
      for (const int step : match->step) plan_.fused[at(step)] = id;
      for (const int state : match->state)
        if (state >= 0) plan_.fused[at(state)] = id;
      if (const auto whole = with_gradient(program_, *match); whole && gradient_fits(id, *whole))
        plan_.fused[at(whole->whole_gradient)] = id;
      return;
    }
  }

 private:
  const ProgramNode& node(int id) const { return node_of(program_, id); }
  bool is_here(int id, std::ptrdiff_t times_read) const {
    return group_of_[at(id)] == group_ && readers_[at(id)] == times_read;
  }
  bool has_rows_of(int id, int operand) const {
    return holds_rows(node(operand).type) && node(operand).type.shape == node(id).type.shape;
  }

  static std::ptrdiff_t times_read(const FusedSteps& steps, char letter) {
    std::ptrdiff_t count = 0;
    for (std::size_t k = 0; k < steps.count; ++k)
      count += std::count(steps.step[k].operands.begin(), steps.step[k].operands.end(), letter);
    return count;
  }

  bool fits(int id, const Match& match) const {
    const FusedSteps& steps = *match.steps;
    if (kernel_of(match, node(id).type.dtype) == nullptr || !has_rows_of(id, match.old) ||
        !has_rows_of(id, match.gradient))
      return false;
    for (std::size_t k = 0; k < steps.count; ++k) {
      const int step = match.step[k];
      const int state = steps.step[k].state;
      if (step != id && !is_here(step, times_read(steps, static_cast<char>('A' + k)))) return false;
      if (step != id && (plan_.scattered[at(step)] >= 0) != (state >= 0)) return false;
      if (state < 0) continue;
      // Nobody but the update writes the state's table, so it may be read as late as that.
      const int read = match.state[at(state)];
      if (!is_here(read, times_read(steps, static_cast<char>('0' + state))) || !node(read).op->looks_up_rows() ||
          program_.root(node(read).inputs[0]) != plan_.scattered[at(step)])
        return false;
    }
    return true;
  }

  bool gradient_fits(int id, const Match& match) const {
    const Shape& column = node(match.column).type.shape;
    return is_here(match.whole_gradient, times_read(*match.steps, 'g')) &&
           plan_.scattered[at(match.whole_gradient)] < 0 && holds_rows(node(match.column).type) &&
           column.size() == column[0] && column[0] == node(id).type.shape[0] && has_rows_of(id, match.factor) &&
           has_rows_of(id, match.gradient);
  }

  const Program& program_;
  std::span<const int> group_of_;
  int group_ = -1;  // of the node at hand
  std::span<const int> readers_;
  MemoryPlan& plan_;
};

}  // namespace

void choose_fused(const Program& program, const Schedule& schedule, std::span<const int> group_of,
                  std::span<const int> readers, MemoryPlan& plan) {
  Joining joining(program, group_of, readers, plan);
  for (const Group& group : schedule.groups)
    if (group.active_in >= 0 && group.tile_rows > 0)
      for (const int id : group.nodes) joining.join(id);
}

FusedUpdate::FusedUpdate(const Program& program, const MemoryPlan& memory, int id, std::vector<Value>& values,
                         const std::function<const Value*(int)>& tile_of) {
  const Match match = *match_at(program, memory, id);
  kernel_ = kernel_of(match, node_of(program, id).type.dtype);
  table_ = &values[at(memory.scattered[at(id)])];
  for (const int state : match.state)
    if (state >= 0) states_.push_back(&values[at(program.root(node_of(program, state).inputs[0]))]);
  old_ = tile_of(match.old);
  gradient_ = tile_of(match.gradient);
  if (match.column >= 0) {
    column_ = tile_of(match.column);
    factor_ = tile_of(match.factor);
  }
  for (const int number : match.numbers) numbers_.push_back(&values[at(number)]);
}

void FusedUpdate::run(const Value& rows) const {
  FusedRows fused{.rows = rows.held_rows(),
                  .next_rows = rows.rows_after(),
                  .width = rows.row_size(),
                  .variable = table_->data,
                  .state = {},
                  .old = old_->data,
                  .gradient = gradient_->data,
                  .column = column_ != nullptr ? column_->data : nullptr,
                  .factor = factor_ != nullptr ? factor_->data : nullptr,
                  .number = {}};
  for (std::size_t s = 0; s < states_.size(); ++s) fused.state[s] = states_[s]->data;
  for (std::size_t n = 0; n < numbers_.size(); ++n) fused.number[n] = numbers_[n]->data;
  kernel_(fused);
}

}  // namespace gradus
