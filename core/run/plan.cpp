#include <gradus/core/run/plan.h>

#include <gradus/core/graph/nodes.h>

#include <atomic>

namespace gradus {

std::int64_t bytes_stored(const Value& value) {
  return value.stored * static_cast<std::int64_t>(size_of(value.type.dtype));
}

Plan::Plan(Program program, Variables& variables, const std::function<Schedule(const Program&)>& schedule)
    : program_(std::move(program)),
      variables_(variables),
      schedule_(schedule(program_)),
      memory_(plan_memory(program_, schedule_)),
      values_(program_.nodes.size()),
      results_(program_.fetches.size()) {
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).type.layout != Layout::dense && !has_static_address(id)) per_run_.push_back(id);
}

bool Plan::exists(int root) const { return !is_computed(node(root)) || memory_.kept[static_cast<std::size_t>(root)]; }

bool Plan::has_static_address(int id) const {
  const ProgramNode& root = node(program_.root(id));
  return root.kind != Kind::placeholder && (root.kind != Kind::op || root.type.layout == Layout::dense);
}

std::byte* Plan::variable_memory(const Expr& variable) const {
  variables_.initialize(variable);
  return variables_.data(variable);
}

void Plan::show(const Value& shown, Value& view) {
  view.data = shown.data;
  view.stored = shown.stored;
  view.pattern = shown.pattern;
  view.ones = shown.ones;
  view.index = shown.index;
}

void Plan::place_values(std::byte* arena, const std::function<const std::byte*(const Tensor&)>& place) {
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id) {
    const ProgramNode& n = node(id);
    Value& v = value(id);
    v.type = n.type;
    if (!n.live || n.kind == Kind::placeholder || n.kind == Kind::group) continue;
    v.stored = n.type.shape.size();
    if (n.kind == Kind::constant) {
      const Tensor& constant = static_cast<const ConstantOp*>(n.op)->value();
      v.data = const_cast<std::byte*>(place(constant));  // only ever read
      v.stored = constant.stored();
      v.pattern = constant.pattern();
      v.ones = constant.ones();
      v.index = constant.index();
    } else if (n.kind == Kind::variable) {
      v.data = variable_memory(n.origin);
    } else if (n.is_view) {
      if (has_static_address(id)) show(value(n.viewed()), v);
    } else if (const int variable = memory_.in_variable[static_cast<std::size_t>(id)]; variable >= 0) {
      v.data = variable_memory(node(variable).origin);
    } else if (memory_.offset[static_cast<std::size_t>(id)] >= 0) {
      v.data = arena != nullptr ? arena + memory_.offset[static_cast<std::size_t>(id)] : nullptr;
    }
  }
  for (const int id : memory_.copied) variables_.initialize(node(node(id).inputs[0]).origin);
  for (const int id : memory_.scattered)
    if (id >= 0) value(id).data = variable_memory(node(id).origin);
}

void Plan::move_arena(std::byte* arena) {
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id) {
    if (const std::int64_t offset = memory_.offset[static_cast<std::size_t>(id)]; offset >= 0)
      value(id).data = arena + offset;
    if (node(id).live && node(id).is_view && has_static_address(id)) show(value(node(id).viewed()), value(id));
  }
}

std::vector<std::vector<int>> Plan::moving_views() const {
  std::vector<std::vector<int>> views(program_.nodes.size());
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).live && node(id).is_view && !has_static_address(id) && exists(program_.root(id)))
      views[static_cast<std::size_t>(program_.root(id))].push_back(id);
  return views;
}

void Plan::release() {
  for (const int id : per_run_) {
    value(id).pattern.reset();
    value(id).index.reset();
  }
}

void Plan::make_room_for_results() {
  for (std::size_t i = 0; i < results_.size(); ++i)
    if (const Value& v = value(program_.fetches[i]); v.type.layout == Layout::dense && v.stored > 0) fresh_result(i, v);
}

Tensor& Plan::fresh_result(std::size_t i, const Value& v) {
  Tensor& kept = results_[i];
  if (v.type.layout == Layout::dense) {
    if (kept.data() == nullptr || !kept.unique()) kept = Tensor::uninitialized(v.type);
    std::atomic_thread_fence(std::memory_order_acquire);  // whoever dropped it has read it
    return kept;
  }
  Shape stored = Shape({v.stored});
  if (v.type.layout != Layout::csr) stored = v.type.shape.with(0, v.index->count());
  kept = Tensor::uninitialized({v.type.dtype, stored, Layout::dense});
  return kept;
}

void Plan::finish_result(std::size_t i, const Value& v) {
  if (v.type.layout == Layout::dense) return;
  const Tensor numbers = results_[i];
  results_[i] = v.type.layout == Layout::csr ? Tensor::csr(v.pattern, numbers)
                                             : Tensor::rows(v.type.shape, v.index, numbers, v.type.layout);
}

}  // namespace gradus
