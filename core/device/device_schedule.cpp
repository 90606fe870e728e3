#include <gradus/core/device/device_schedule.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/loop_space.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace gradus {

namespace {

constexpr std::size_t most_nodes = 48;  // in a kernel: each may bring an operand, which is an argument, and a register

class Grouping {
 public:
  explicit Grouping(const Program& program)
      : program_(program), tiles_(size()), spaces_(size()), level_(size(), 0), readers_(size(), 0) {
    for (int id = 0; id < static_cast<int>(size()); ++id)
      if (is_computed(node(id))) {
        spaces_[at(id)] = loop_space(program, id);
        if (spaces_[at(id)]) tiles_[at(id)] = tiles_of(id);
        for_each_read(program, node(id), [&](int, int root) { ++readers_[at(root)]; });
      }
    times_ = choose_times(program, tiles_);
  }

  Schedule schedule(bool fuse) {
    Schedule schedule;
    if (!fuse) std::fill(spaces_.begin(), spaces_.end(), std::nullopt);
    choose_levels();
    std::vector<Group> groups = collect();
    while (leave_other_folds(groups)) {
      choose_levels();
      groups = collect();
    }
    for (const Group& group : groups)
      for (std::size_t first = 0; first < group.nodes.size(); first += most_nodes) {
        Group& part = schedule.groups.emplace_back();
        const auto begin = group.nodes.begin() + static_cast<std::ptrdiff_t>(first);
        part.nodes.assign(begin, begin + static_cast<std::ptrdiff_t>(std::min(most_nodes, group.nodes.size() - first)));
        part.tile_rows = part.nodes.size() > 1 ? 1 : 0;
      }
    schedule.tiles = tiles_;
    for (const Time time : times_.of) schedule.may_write.push_back(time == Time::last);
    return schedule;
  }

 private:
  std::size_t size() const { return program_.nodes.size(); }
  const ProgramNode& node(int id) const { return program_.nodes[at(id)]; }
  bool is_fold(int id) const { return tiles_[at(id)].gives == Tiles::Gives::accumulated; }

  // As of a region whose tiles are one element long.
  Tiles tiles_of(int id) const {
    const std::vector<Type> types = loop_inputs(program_, id);
    const bool elementwise = node(id).op->row_kernel(types) != nullptr;
    Tiles tiles{elementwise ? Tiles::Gives::rows : Tiles::Gives::accumulated, 0, 0, 0};
    for (std::size_t i = 0; i < types.size(); ++i) {
      const auto access = loop_operand(types[i], elementwise ? node(id).type : types[0]).access;
      if (access == LoopOperand::Access::in_step) tiles.sliced |= 1U << i;
      if (access == LoopOperand::Access::looked_up && types[i].shape == node(id).type.shape) tiles.looked_up |= 1U << i;
    }
    return tiles;
  }

  // Whether a fold is of numbers that a kernel before may have in its registers.
  bool is_bound(int id) const {
    bool bound = false;
    for_each_read(program_, node(id), [&](int i, int root) {
      bound = bound || (is_computed(node(root)) && flows(id, i, root) && readers_[at(root)] > 1);
    });
    return is_fold(id) && bound;
  }

  // Whether node `id` can take its input i from a register in which the thread at hand has put `root`.
  bool flows(int id, int i, int root) const {
    return spaces_[at(id)] && spaces_[at(root)] == spaces_[at(id)] && !is_fold(root) &&
           ((tiles_[at(id)].sliced >> static_cast<unsigned>(i)) & 1U) != 0;
  }

  // As schedule.cpp has it: along the way from one node of a level and a space to another, nothing needs a result as a
  // whole. Each comes as late as its users allow, but for folds of what others read too, which belong to it.
  void choose_levels() {
    std::fill(level_.begin(), level_.end(), 0);
    const int count = static_cast<int>(size());
    for (int id = 0; id < count; ++id)
      if (is_computed(node(id)))
        for_each_read(program_, node(id), [&](int i, int root) {
          if (is_computed(node(root)) && times_.of[at(root)] == times_.of[at(id)])
            level_[at(id)] = std::max(level_[at(id)], level_[at(root)] + (flows(id, i, root) ? 0 : 1));
        });
    std::vector<int> latest(size(), INT32_MAX);
    for (int id = count - 1; id >= 0; --id) {
      if (!is_computed(node(id))) continue;
      if (latest[at(id)] != INT32_MAX && !times_.waits[at(id)] && spaces_[at(id)] && !is_bound(id))
        level_[at(id)] = std::max(level_[at(id)], latest[at(id)]);
      for_each_read(program_, node(id), [&](int i, int root) {
        if (times_.of[at(root)] == times_.of[at(id)])
          latest[at(root)] = std::min(latest[at(root)], level_[at(id)] - (flows(id, i, root) ? 0 : 1));
      });
    }
  }

  std::vector<Group> collect() const {
    std::map<std::tuple<Time, int, std::optional<LoopSpace>, int>, Group> groups;
    // What waits reads old values of variables, which the others may write: it comes first.
    for (const bool waits : {true, false})
      for (int id = 0; id < static_cast<int>(size()); ++id) {
        if (!is_computed(node(id)) || times_.waits[at(id)] != waits) continue;
        const int key = spaces_[at(id)] ? 0 : id - (waits ? 2 : 1) * static_cast<int>(size());
        groups[{times_.of[at(id)], level_[at(id)], spaces_[at(id)], key}].nodes.push_back(id);
      }
    std::vector<Group> made;
    for (auto& [key, group] : groups) made.push_back(std::move(group));
    return made;
  }

  // A kernel goes along rows of one length: folds of others than the first's leave its group.
  bool leave_other_folds(const std::vector<Group>& groups) {
    bool found = false;
    for (const Group& group : groups) {
      std::optional<FoldRows> rows;
      for (const int id : group.nodes) {
        if (!is_fold(id) || !spaces_[at(id)]) continue;
        const FoldRows mine = fold_rows(program_, id);
        if (!rows) rows = mine;
        if (mine == *rows) continue;
        spaces_[at(id)].reset();
        found = true;
      }
    }
    return found;
  }

  const Program& program_;
  std::vector<Tiles> tiles_;
  std::vector<std::optional<LoopSpace>> spaces_;  // by node: none for those that no other may join
  Timing times_;
  std::vector<int> level_;
  std::vector<int> readers_;  // by node
};

}  // namespace

Schedule device_schedule(const Program& program, bool fuse) { return Grouping(program).schedule(fuse); }

}  // namespace gradus
