#include <gradus/core/plan/memory.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/arena.h>

#include <algorithm>
#include <map>

namespace gradus {

namespace {

constexpr int never = -1;

std::int64_t bytes_of(const Type& type) {
  return Arena::whole_lines(type.shape.size() * static_cast<std::int64_t>(size_of(type.dtype)));
}

// When each node is computed and each root read last: by node in the order of work, and by group.
struct Times {
  std::vector<int> order;
  std::vector<int> step_of;    // by node: its place in the order
  std::vector<int> group_of;   // by node
  std::vector<int> last_read;  // by root, in the order
  std::vector<int> last_use;   // by root, in groups
  std::vector<int> readers;    // by root: how often it is read
};

Times times_of(const Program& program, const Schedule& schedule) {
  const std::size_t count = program.nodes.size();
  const std::vector<int> none(count, never);
  Times times{{}, none, none, none, none, std::vector(count, 0)};
  for (int g = 0; g < static_cast<int>(schedule.groups.size()); ++g)
    for (const int id : schedule.groups[at(g)].nodes) {
      const int step = static_cast<int>(times.order.size());
      times.order.push_back(id);
      times.step_of[at(id)] = step;
      times.group_of[at(id)] = g;
      times.last_use[at(id)] = g;
      for_each_read(program, program.nodes[at(id)], [&](int, int root) {
        times.last_read[at(root)] = step;
        times.last_use[at(root)] = g;
        ++times.readers[at(root)];
      });
    }
  for (const int fetch : program.fetches) {  // read at the end
    times.last_read[at(program.root(fetch))] = static_cast<int>(times.order.size());
    times.last_use[at(program.root(fetch))] = static_cast<int>(schedule.groups.size());
    ++times.readers[at(program.root(fetch))];
  }
  return times;
}

// By root: the last group, run tile by tile, in which a step reads more of it than the rows of the tile at hand.
std::vector<int> groups_that_read_whole(const Program& program, const Schedule& schedule) {
  std::vector<int> group_of(program.nodes.size(), never);
  for (int g = 0; g < static_cast<int>(schedule.groups.size()); ++g) {
    const Group& group = schedule.groups[at(g)];
    for (std::size_t n = 0; n < group.nodes.size() && group.tile_rows > 0; ++n) {
      const int id = group.nodes[n];
      const unsigned by_rows = schedule.tiles[at(id)].sliced | schedule.tiles[at(id)].looked_up;
      for_each_read(program, program.nodes[at(id)], [&](int i, int root) {
        if (((by_rows >> static_cast<unsigned>(i)) & 1U) == 0) group_of[at(root)] = g;
      });
    }
  }
  return group_of;
}

void choose_updates_in_place(const Program& program, const Schedule& schedule, Times& times, MemoryPlan& plan) {
  const int end = static_cast<int>(times.order.size());
  const std::vector<int> reads_whole = groups_that_read_whole(program, schedule);
  for (const ProgramNode& node : program.nodes)
    if (node.kind == Kind::assign) {
      // One variable assigned to another is read when the run ends.
      const int root = program.root(node.inputs[1]);
      if (program.nodes[at(root)].kind == Kind::variable) times.last_read[at(root)] = end;
    }

  for (int id = 0; id < static_cast<int>(program.nodes.size()); ++id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (node.kind != Kind::assign) continue;
    const int variable = node.inputs[0];
    const int value = program.root(node.inputs[1]);
    const ProgramNode& computed = program.nodes[at(value)];
    const int step = times.step_of[at(value)];
    bool in_place = schedule.may_write[at(value)] && is_computed(computed) && plan.in_variable[at(value)] == never &&
                    plan.scattered[at(value)] == never && times.last_read[at(variable)] <= step;
    if (in_place && times.last_read[at(variable)] == step)
      for_each_read(program, computed, [&](int i, int root) {
        if (root == variable && !may_overwrite(program, computed, i)) in_place = false;
      });
    if (in_place) {
      // (The variable is read by no later group: an earlier one has done with it.)
      const int group = times.group_of[at(value)];
      const bool dense = computed.type.layout == Layout::dense;
      in_place = (dense || schedule.groups[at(group)].tile_rows > 0) && reads_whole[at(variable)] != group;
    }
    if (in_place) {
      (computed.type.layout == Layout::dense ? plan.in_variable : plan.scattered)[at(value)] = variable;
    } else {
      plan.copied.push_back(id);
      ++times.readers[at(value)];
      times.last_use[at(value)] = static_cast<int>(schedule.groups.size());
    }
  }
}

void choose_kept(const Schedule& schedule, const Times& times, MemoryPlan& plan) {
  for (int g = 0; g < static_cast<int>(schedule.groups.size()); ++g)
    for (const int id : schedule.groups[at(g)].nodes) {
      plan.inner[at(id)] = times.last_use[at(id)] <= g && plan.in_variable[at(id)] == never;
      const bool sum = schedule.tiles[at(id)].gives != Tiles::Gives::rows;
      plan.kept[at(id)] = schedule.groups[at(g)].tile_rows == 0 || sum || times.last_use[at(id)] > g ||
                          plan.in_variable[at(id)] != never;
    }
}

void assign_offsets(const Program& program, const Schedule& schedule, const Times& times, MemoryPlan& plan) {
  const auto in_arena = [&](int id) {
    const ProgramNode& node = program.nodes[at(id)];
    return is_computed(node) && node.type.layout == Layout::dense && plan.in_variable[at(id)] == never &&
           plan.kept[at(id)];
  };
  Arena arena;
  const auto give = [&](int root) { arena.give(plan.offset[at(root)], bytes_of(program.nodes[at(root)].type)); };
  // By root: its memory is another's by now; it will be at the end of the group; it is that of a value from before the
  // group.
  std::vector<bool> taken_over(program.nodes.size(), false), is_dying(taken_over), borrows(taken_over);
  for (int g = 0; g < static_cast<int>(schedule.groups.size()); ++g) {
    const Group& group = schedule.groups[at(g)];
    std::vector<int> dying;  // at the end of the group
    // What a kernel was given and needs no more, by bytes: for what it needs itself alone, and never writes. The rest
    // it might write before it has read this.
    std::map<std::int64_t, std::vector<std::int64_t>> spare;
    const auto let_die = [&](int root) {
      if (!is_dying[at(root)]) dying.push_back(root);
      is_dying[at(root)] = true;
    };
    for (const int id : group.nodes) {
      const ProgramNode& node = program.nodes[at(id)];
      const auto dies_here = [&](int root) {
        return in_arena(root) && times.last_read[at(root)] == times.step_of[at(id)] && times.last_use[at(root)] == g &&
               group.tile_rows == 0;
      };
      if (in_arena(id)) {
        int heir = never;
        // The result takes over the memory of an input that dies here, if the step may overwrite it,
        for_each_read(program, node, [&](int i, int root) {
          if (heir == never && dies_here(root) && may_overwrite(program, node, i) &&
              bytes_of(program.nodes[at(root)].type) == bytes_of(node.type))
            heir = root;
        });
        // unless the same value is also read out of step: x * transpose(x) through a view.
        for_each_read(program, node, [&](int i, int root) {
          if (root == heir && !may_overwrite(program, node, i)) heir = never;
        });
        if (heir != never) {
          taken_over[at(heir)] = true;
          borrows[at(id)] = times.group_of[at(heir)] != g || borrows[at(heir)];
        }
        std::vector<std::int64_t>& fitting = spare[bytes_of(node.type)];
        if (heir != never) {
          plan.offset[at(id)] = plan.offset[at(heir)];
        } else if (plan.inner[at(id)] && !fitting.empty()) {
          plan.offset[at(id)] = fitting.back();
          fitting.pop_back();
          borrows[at(id)] = true;
        } else {
          plan.offset[at(id)] = arena.take(bytes_of(node.type));
        }
        // Computed, but never read outside.
        const bool unread = group.tile_rows > 0 || times.last_read[at(id)] == never;
        if (unread && times.last_use[at(id)] == g) let_die(id);
      }
      for_each_read(program, node, [&](int, int root) {
        if (!in_arena(root) || taken_over[at(root)] || times.last_use[at(root)] != g) return;
        if (group.tile_rows > 0) return let_die(root);
        if (!dies_here(root)) return;
        taken_over[at(root)] = true;
        if (times.group_of[at(root)] != g || borrows[at(root)]) {
          spare[bytes_of(program.nodes[at(root)].type)].push_back(plan.offset[at(root)]);
        } else {
          give(root);
        }
      });
    }
    for (const auto& [bytes, offsets] : spare)
      for (const std::int64_t offset : offsets) arena.give(offset, bytes);
    for (const int root : dying)
      if (!taken_over[at(root)]) give(root);
  }
  plan.arena_bytes = arena.bytes();
}

}  // namespace

bool may_overwrite(const Program& program, const ProgramNode& node, int i) {
  const Type& input = program.nodes[at(node.inputs[at(i)])].type;
  const bool lie_alike =
      node.type.layout == Layout::dense ? input.layout == Layout::dense : holds_rows(node.type) && holds_rows(input);
  return lie_alike && input.shape.size() == node.type.shape.size() &&
         size_of(input.dtype) == size_of(node.type.dtype) && node.op->row_kernel(input_types(program, node)) != nullptr;
}

MemoryPlan plan_memory(const Program& program, const Schedule& schedule) {
  MemoryPlan plan;
  plan.offset.assign(program.nodes.size(), -1);
  plan.in_variable.assign(program.nodes.size(), never);
  plan.scattered.assign(program.nodes.size(), never);
  plan.kept.assign(program.nodes.size(), false);
  plan.inner.assign(program.nodes.size(), false);
  Times times = times_of(program, schedule);
  choose_updates_in_place(program, schedule, times, plan);
  choose_kept(schedule, times, plan);
  assign_offsets(program, schedule, times, plan);
  return plan;
}

}  // namespace gradus
