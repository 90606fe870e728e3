#include <gradus/core/memory.h>

#include <gradus/core/buffer.h>

#include <algorithm>
#include <map>

namespace gradus {

namespace {

constexpr int never = -1;

std::size_t at(int node) { return static_cast<std::size_t>(node); }

bool is_computed(const ProgramNode& node) { return node.live && node.kind == Kind::op && !node.is_view; }

std::int64_t bytes_of(const Type& type) {
  const auto bytes = type.shape.size() * static_cast<std::int64_t>(size_of(type.dtype));
  constexpr auto line = static_cast<std::int64_t>(Buffer::alignment);
  return (bytes + line - 1) / line * line;
}

// Whether a step may write its result over the memory of its input i: an elementwise one that reads the input
// in step with its output.
bool may_overwrite(const Program& program, const ProgramNode& node, int i) {
  const Type& input = program.nodes[at(node.inputs[at(i)])].type;
  std::vector<Type> types;
  for (const int in : node.inputs) types.push_back(program.nodes[at(in)].type);
  return node.type.layout == Layout::dense && input.layout == Layout::dense &&
         input.shape.size() == node.type.shape.size() && size_of(input.dtype) == size_of(node.type.dtype) &&
         node.op->row_kernel(types) != nullptr;
}

// Calls f(input index, root) for each input whose numbers the node reads.
template <class F>
void for_each_read(const Program& program, const ProgramNode& node, F&& f) {
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i)
    if (node.op->reads(i)) f(i, program.root(node.inputs[at(i)]));
}

// Elementwise, dense and without integers (whose division may throw): once such a step begins, it ends well.
bool cannot_fail(const Program& program, const ProgramNode& node) {
  std::vector<Type> types;
  for (const int in : node.inputs) types.push_back(program.nodes[at(in)].type);
  return node.type.layout == Layout::dense && node.op->row_kernel(types) != nullptr &&
         std::none_of(types.begin(), types.end(), [](const Type& t) { return is_integer(t.dtype); });
}

// Values to be assigned are computed late, with all that follows from them: by then the old values have been read,
// so most can be written in place. Last of all come the steps that cannot fail and that only such steps follow.
// They alone may write a variable: an error in any other step leaves every variable as it was.
// Returns, by node, whether it is one of the last.
std::vector<bool> choose_order(const Program& program, MemoryPlan& plan) {
  const int count = static_cast<int>(program.nodes.size());
  std::vector<bool> late(at(count), false);
  for (const ProgramNode& node : program.nodes)
    if (node.kind == Kind::assign) late[at(program.root(node.inputs[1]))] = true;
  for (int id = 0; id < count; ++id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (is_computed(node))
      for_each_read(program, node, [&](int, int root) {
        if (is_computed(program.nodes[at(root)]) && late[at(root)]) late[at(id)] = true;
      });
  }
  std::vector<bool> last(at(count), false);
  for (int id = 0; id < count; ++id) {
    const ProgramNode& node = program.nodes[at(id)];
    last[at(id)] = is_computed(node) && late[at(id)] && cannot_fail(program, node);
  }
  for (int id = count - 1; id >= 0; --id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (is_computed(node) && !last[at(id)])
      for_each_read(program, node, [&](int, int root) { last[at(root)] = false; });
  }
  const auto add = [&](auto&& wanted) {
    for (int id = 0; id < count; ++id)
      if (is_computed(program.nodes[at(id)]) && wanted(at(id))) plan.order.push_back(id);
  };
  add([&](std::size_t id) { return !late[id]; });
  add([&](std::size_t id) { return late[id] && !last[id]; });
  add([&](std::size_t id) { return last[id]; });
  return last;
}

void choose_updates_in_place(const Program& program, MemoryPlan& plan, const std::vector<bool>& may_write) {
  const int end = static_cast<int>(plan.order.size());
  // When each root is read last; a fetched one is read at the end.
  std::vector<int> last_read(program.nodes.size(), never);
  std::vector<int> step_of(program.nodes.size(), never);
  for (int step = 0; step < end; ++step) {
    step_of[at(plan.order[at(step)])] = step;
    for_each_read(program, program.nodes[at(plan.order[at(step)])], [&](int, int root) { last_read[at(root)] = step; });
  }
  for (const int fetch : program.fetches) last_read[at(program.root(fetch))] = end;
  std::vector<int> assigns(program.nodes.size(), 0);
  for (const ProgramNode& node : program.nodes)
    if (node.kind == Kind::assign) {
      ++assigns[at(node.inputs[0])];
      // One variable assigned to another is read when the run ends.
      const int root = program.root(node.inputs[1]);
      if (program.nodes[at(root)].kind == Kind::variable) last_read[at(root)] = end;
    }

  for (int id = 0; id < static_cast<int>(program.nodes.size()); ++id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (node.kind != Kind::assign) continue;
    const int variable = node.inputs[0];
    const int value = program.root(node.inputs[1]);
    const ProgramNode& computed = program.nodes[at(value)];
    const int step = step_of[at(value)];
    // A variable assigned twice gets all its values at the end, in the order of the assigns.
    bool in_place = may_write[at(value)] && plan.in_variable[at(value)] == never && assigns[at(variable)] == 1 &&
                    last_read[at(variable)] <= step;
    if (in_place && last_read[at(variable)] == step)
      for_each_read(program, computed, [&](int i, int root) {
        if (root == variable && !may_overwrite(program, computed, i)) in_place = false;
      });
    if (in_place) {
      plan.in_variable[at(value)] = variable;
    } else {
      plan.copied.push_back(id);
    }
  }
}

// Free stretches of the arena by offset; first fit, neighbours merged.
class Arena {
 public:
  std::int64_t take(std::int64_t bytes) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      const auto [offset, length] = *it;
      if (length < bytes) continue;
      free_.erase(it);
      if (length > bytes) free_[offset + bytes] = length - bytes;
      return offset;
    }
    std::int64_t offset = end_;
    if (!free_.empty()) {  // grow the last stretch if it reaches the end
      const auto last = std::prev(free_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        free_.erase(last);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void give(std::int64_t offset, std::int64_t bytes) {
    auto [it, inserted] = free_.emplace(offset, bytes);
    if (const auto next = std::next(it); next != free_.end() && offset + bytes == next->first) {
      it->second += next->second;
      free_.erase(next);
    }
    if (it != free_.begin()) {
      const auto before = std::prev(it);
      if (before->first + before->second == it->first) {
        before->second += it->second;
        free_.erase(it);
      }
    }
  }

  std::int64_t bytes() const { return end_; }

 private:
  std::map<std::int64_t, std::int64_t> free_;
  std::int64_t end_ = 0;
};

void assign_offsets(const Program& program, MemoryPlan& plan) {
  const int end = static_cast<int>(plan.order.size());
  const auto in_arena = [&](int id) {
    return is_computed(program.nodes[at(id)]) && program.nodes[at(id)].type.layout == Layout::dense &&
           plan.in_variable[at(id)] == never;
  };
  std::vector<int> last_use(program.nodes.size(), never);
  for (int step = 0; step < end; ++step) {
    const int id = plan.order[at(step)];
    last_use[at(id)] = step;
    for_each_read(program, program.nodes[at(id)], [&](int, int root) { last_use[at(root)] = step; });
  }
  for (const int fetch : program.fetches) last_use[at(program.root(fetch))] = end;
  for (const int assign : plan.copied) last_use[at(program.root(program.nodes[at(assign)].inputs[1]))] = end;

  Arena arena;
  for (int step = 0; step < end; ++step) {
    const int id = plan.order[at(step)];
    const ProgramNode& node = program.nodes[at(id)];
    std::vector<int> dying;
    for_each_read(program, node, [&](int, int root) {
      if (in_arena(root) && last_use[at(root)] == step && std::find(dying.begin(), dying.end(), root) == dying.end())
        dying.push_back(root);
    });
    if (in_arena(id)) {
      // The result takes over the memory of an input that dies here, if the step may overwrite it.
      int heir = never;
      for_each_read(program, node, [&](int i, int root) {
        if (heir == never && std::find(dying.begin(), dying.end(), root) != dying.end() &&
            may_overwrite(program, node, i) && bytes_of(program.nodes[at(root)].type) == bytes_of(node.type))
          heir = root;
      });
      // The same value may also be read out of step: x * transpose(x) through a view.
      for_each_read(program, node, [&](int i, int root) {
        if (root == heir && !may_overwrite(program, node, i)) heir = never;
      });
      if (heir != never) {
        plan.offset[at(id)] = plan.offset[at(heir)];
        std::erase(dying, heir);
      } else {
        plan.offset[at(id)] = arena.take(bytes_of(node.type));
      }
      if (last_use[at(id)] == step) dying.push_back(id);  // computed, but never read
    }
    for (const int root : dying) arena.give(plan.offset[at(root)], bytes_of(program.nodes[at(root)].type));
  }
  plan.arena_bytes = arena.bytes();
}

}  // namespace

MemoryPlan plan_memory(const Program& program) {
  MemoryPlan plan;
  plan.offset.assign(program.nodes.size(), -1);
  plan.in_variable.assign(program.nodes.size(), never);
  choose_updates_in_place(program, plan, choose_order(program, plan));
  assign_offsets(program, plan);
  return plan;
}

}  // namespace gradus
