#include <gradus/core/plan/form_kernels.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/build_kernel.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace gradus {

namespace {

constexpr std::size_t most_steps = 64;           // a longer text takes longer to compile than it saves
constexpr std::size_t most_read_again = 2;       // values, to save one that would be written and read
constexpr std::int64_t largest_whole = 1 << 16;  // of steps that are there as a whole: more are shared out to threads

// What the whole program does with its values.
struct Uses {
  explicit Uses(const Program& program) : reads(program.nodes.size(), 0) {
    for (const ProgramNode& node : program.nodes) {
      if (is_computed(node)) for_each_read(program, node, [&](int, int root) { ++reads[at(root)]; });
      if (node.kind != Kind::assign) continue;
      ++reads[at(program.root(node.inputs[1]))];
      new_value_of[node.inputs[0]] = program.root(node.inputs[1]);
    }
    for (const int fetch : program.fetches) ++reads[at(program.root(fetch))];
  }

  std::vector<int> reads;                     // by root: how often, also by fetches and assigns
  std::unordered_map<int, int> new_value_of;  // by variable: the node that gives its new value
};

class Forming {
 public:
  Forming(const Program& program, const Schedule& schedule, const Uses& uses, Group& group)
      : program_(program), tiles_(schedule.tiles), uses_(uses), group_(group) {
    std::map<LoopSpace, int> numbers;
    for (std::size_t m = 0; m < group.nodes.size(); ++m) {
      place_[group.nodes[m]] = m;
      const Type& type = program.nodes[at(group.nodes[m])].type;
      const bool fits = group.tile_rows > 0 || (type.layout == Layout::dense && type.shape.size() <= largest_whole);
      const std::optional<LoopSpace> space = fits ? kernel_space(program, group.nodes[m]) : std::nullopt;
      space_.push_back(space ? numbers.try_emplace(*space, static_cast<int>(numbers.size())).first->second : -1);
    }
    ready_in_.resize(numbers.size());
    collect_waits();
  }

  void form() {
    collect_parts();
    for (std::size_t part = parts_.size(); part-- > 0;)
      for (const std::size_t m : std::vector<std::size_t>(parts_[part].rbegin(), parts_[part].rend()))
        if (part_of_[m] == part) move_down(m);
    add_folds();
    std::vector<int> ordered;
    for (std::vector<std::size_t>& part : parts_) {
      std::sort(part.begin(), part.end());
      if (part.empty()) continue;
      if (part.size() > 1 || broadcasts(part.front())) group_.kernels.push_back({ordered.size(), part.size()});
      for (const std::size_t m : part) ordered.push_back(group_.nodes[m]);
    }
    group_.nodes = std::move(ordered);
  }

 private:
  // By member: the members that must come before it. What follows from a value follows it; who writes a variable
  // follows those that read it.
  void collect_waits() {
    const std::size_t count = group_.nodes.size();
    waits_for_.assign(count, 0);
    followers_.resize(count);
    reads_.assign(count, 0);
    const auto follows = [&](std::size_t m, std::size_t before) {
      followers_[before].push_back(m);
      ++waits_for_[m];
    };
    for (std::size_t m = 0; m < count; ++m)
      for_each_read(program_, program_.nodes[at(group_.nodes[m])], [&](int, int root) {
        if (const auto made = place_.find(root); made != place_.end()) {
          follows(m, made->second);
          ++reads_[made->second];
        }
        const auto written = uses_.new_value_of.find(root);
        if (written == uses_.new_value_of.end()) return;
        if (const auto by = place_.find(written->second); by != place_.end() && by->second > m) follows(by->second, m);
      });
    for (std::size_t m = 0; m < count; ++m)
      if (waits_for_[m] == 0) make_ready(m);
  }

  // Of the members that wait for nothing the first, so that the order changes no more than it must; with it all of the
  // same space that wait for nothing, or for members of the kernel alone.
  void collect_parts() {
    part_of_.resize(group_.nodes.size());
    for (std::size_t left = group_.nodes.size(); left > 0; left -= parts_.back().size()) {
      std::vector<std::size_t> together{*ready_.begin()};
      const int space = space_[together.front()];
      take(together.front());
      while (space >= 0 && together.size() < most_steps && !ready_in_[at(space)].empty()) {
        together.push_back(*ready_in_[at(space)].begin());
        take(together.back());
      }
      for (const std::size_t m : together) part_of_[m] = parts_.size();
      parts_.push_back(std::move(together));
    }
  }

  // Sums of what a kernel computes are part of it, so that most of it need not be stored.
  void add_folds() {
    for (std::size_t m = 0; m < group_.nodes.size(); ++m) {
      const ProgramNode& node = program_.nodes[at(group_.nodes[m])];
      if (space_[m] >= 0 || !is_computed(node) || node.inputs.size() != 1) continue;
      const auto made = place_.find(program_.root(node.inputs[0]));
      if (made == place_.end() || space_[made->second] < 0) continue;
      const std::size_t to = part_of_[made->second];
      const bool region = group_.tile_rows > 0;
      const Tiles::Gives gives = tiles_[at(group_.nodes[m])].gives;
      const std::optional<FoldedAxes> fold = kernel_fold(program_, group_.nodes[m], !region);
      if (!fold || (region && gives != (fold->axis == 0 ? Tiles::Gives::sum : Tiles::Gives::rows))) continue;
      if (parts_[to].size() >= most_steps) continue;
      std::erase(parts_[part_of_[m]], m);
      parts_[to].push_back(m);
      part_of_[m] = to;
    }
  }

  // Whether a step alone gains by a kernel, whose loops know the strides of what it reads.
  bool broadcasts(std::size_t m) const {
    const ProgramNode& node = program_.nodes[at(group_.nodes[m])];
    if (space_[m] < 0 || holds_rows(node.type)) return false;
    const std::vector<Type> types = input_types(program_, node);
    for (std::size_t i = 0; i < types.size(); ++i)
      if (node.op->reads(static_cast<int>(i)) &&
          loop_operand(types[i], node.type).access == LoopOperand::Access::strided)
        return true;
    return false;
  }

  bool is_read_outside(std::size_t m) const { return uses_.reads[at(group_.nodes[m])] > reads_[m]; }

  // A value that just one later kernel reads is computed there, and so never stored, with all that it alone is computed
  // of; unless that takes more than two values that would not have been stored, or read there, otherwise.
  void move_down(std::size_t last) {
    if (space_[last] < 0 || followers_[last].empty() || is_read_outside(last)) return;
    const std::size_t from = part_of_[last], to = part_of_[followers_[last].front()];
    if (to == from || space_[parts_[to].front()] != space_[last]) return;
    std::vector<std::size_t> moved{last};
    const auto follows_all = [&](std::size_t m) {
      return std::all_of(followers_[m].begin(), followers_[m].end(), [&](std::size_t follower) {
        return part_of_[follower] == to || std::find(moved.begin(), moved.end(), follower) != moved.end();
      });
    };
    if (!follows_all(last)) return;
    std::set<std::size_t> stored;  // of the kernel, and read from memory from now on
    for (std::size_t next = 0; next < moved.size(); ++next) {
      bool can_move = true;
      for_each_read(program_, program_.nodes[at(group_.nodes[moved[next]])], [&](int, int root) {
        const auto made = place_.find(root);
        if (made == place_.end() || part_of_[made->second] != from) return;
        const std::size_t m = made->second;
        if (std::find(moved.begin(), moved.end(), m) != moved.end()) return;
        if (!is_read_outside(m) && follows_all(m)) {
          moved.push_back(m);
          return;
        }
        const bool is_stored = is_read_outside(m) || std::any_of(followers_[m].begin(), followers_[m].end(),
                                                                 [&](std::size_t f) { return part_of_[f] != from; });
        can_move = can_move && is_stored;
        stored.insert(m);
      });
      if (!can_move) return;
    }
    if (stored.size() > most_read_again || parts_[to].size() + moved.size() > most_steps) return;
    for (const std::size_t m : moved) {
      std::erase(parts_[from], m);
      parts_[to].push_back(m);
      part_of_[m] = to;
    }
  }

  void make_ready(std::size_t m) {
    ready_.insert(m);
    if (space_[m] >= 0) ready_in_[at(space_[m])].insert(m);
  }

  void take(std::size_t m) {
    ready_.erase(m);
    if (space_[m] >= 0) ready_in_[at(space_[m])].erase(m);
    for (const std::size_t follower : followers_[m])
      if (--waits_for_[follower] == 0) make_ready(follower);
  }

  const Program& program_;
  const std::vector<Tiles>& tiles_;
  const Uses& uses_;
  Group& group_;
  std::vector<int> space_;                      // by member: its number, or -1
  std::unordered_map<int, std::size_t> place_;  // by node
  std::vector<int> waits_for_;                  // by member: how many, not taken yet
  std::vector<std::vector<std::size_t>> followers_;
  std::vector<int> reads_;                       // by member: how often members read it
  std::vector<std::vector<std::size_t>> parts_;  // members that run together, in the order of work
  std::vector<std::size_t> part_of_;             // by member
  std::set<std::size_t> ready_;
  std::vector<std::set<std::size_t>> ready_in_;  // by space
};

}  // namespace

void form_kernels(const Program& program, Schedule& schedule) {
  const Uses uses(program);
  std::vector<Group> groups;
  Group singles;  // steps in a row that no region comes between; what may write variables apart
  const auto end_singles = [&] {
    Forming(program, schedule, uses, singles).form();
    std::size_t next = 0;
    const auto add = [&](std::size_t count, bool is_kernel) {
      Group& group = groups.emplace_back();
      const auto first = singles.nodes.begin() + static_cast<std::ptrdiff_t>(next);
      group.nodes.assign(first, first + static_cast<std::ptrdiff_t>(count));
      if (is_kernel) group.kernels = {{0, count}};
      next += count;
    };
    for (const Group::Stretch& kernel : singles.kernels) {
      while (next < kernel.first) add(1, false);
      add(kernel.count, true);
    }
    while (next < singles.nodes.size()) add(1, false);
    singles = {};
  };
  for (Group& group : schedule.groups) {
    const bool region = group.tile_rows > 0;
    if (region || (!singles.nodes.empty() &&
                   schedule.may_write[at(singles.nodes.back())] != schedule.may_write[at(group.nodes.front())]))
      end_singles();
    if (!region) {
      singles.nodes.push_back(group.nodes.front());
      continue;
    }
    Forming(program, schedule, uses, group).form();
    groups.push_back(std::move(group));
  }
  end_singles();
  schedule.groups = std::move(groups);
}

}  // namespace gradus
