#include <gradus/core/plan/form_kernels.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/build_kernel.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace gradus {

namespace {

constexpr std::size_t most_steps = 64;           // a longer text takes longer to compile than it saves
constexpr std::int64_t largest_whole = 1 << 16;  // of steps that are there as a whole: more are shared out to threads

class Forming {
 public:
  /// `new_value_of` has, by variable, the node that gives its new value. Larger nodes are part of no kernel.
  Forming(const Program& program, const std::unordered_map<int, int>& new_value_of, Group& group, std::int64_t largest)
      : program_(program), group_(group) {
    std::map<LoopSpace, int> numbers;
    for (std::size_t m = 0; m < group.nodes.size(); ++m) {
      place_[group.nodes[m]] = m;
      const std::optional<LoopSpace> space = program.nodes[at(group.nodes[m])].type.shape.size() <= largest
                                                 ? kernel_space(program, group.nodes[m])
                                                 : std::nullopt;
      space_.push_back(space ? numbers.try_emplace(*space, static_cast<int>(numbers.size())).first->second : -1);
    }
    ready_in_.resize(numbers.size());
    collect_waits(new_value_of);
  }

  void form() {
    std::vector<int> ordered;
    for (std::size_t left = group_.nodes.size(); left > 0;) {
      // Of those that wait for nothing the first, so that the order changes no more than it must; with it all of the
      // same space that wait for nothing, or for members of the kernel alone.
      std::vector<std::size_t> together{*ready_.begin()};
      const int space = space_[together.front()];
      take(together.front());
      while (space >= 0 && together.size() < most_steps && !ready_in_[at(space)].empty()) {
        together.push_back(*ready_in_[at(space)].begin());
        take(together.back());
      }
      std::sort(together.begin(), together.end());
      if (together.size() > 1) group_.kernels.push_back({ordered.size(), together.size()});
      for (const std::size_t m : together) ordered.push_back(group_.nodes[m]);
      left -= together.size();
    }
    group_.nodes = std::move(ordered);
  }

 private:
  // By member: the members that must come before it. What follows from a value follows it; who writes a variable
  // follows those that read it.
  void collect_waits(const std::unordered_map<int, int>& new_value_of) {
    const std::size_t count = group_.nodes.size();
    waits_for_.assign(count, 0);
    followers_.resize(count);
    const auto follows = [&](std::size_t m, std::size_t before) {
      followers_[before].push_back(m);
      ++waits_for_[m];
    };
    for (std::size_t m = 0; m < count; ++m)
      for_each_read(program_, program_.nodes[at(group_.nodes[m])], [&](int, int root) {
        if (const auto made = place_.find(root); made != place_.end()) follows(m, made->second);
        const auto written = new_value_of.find(root);
        if (written == new_value_of.end()) return;
        if (const auto by = place_.find(written->second); by != place_.end() && by->second > m) follows(by->second, m);
      });
    for (std::size_t m = 0; m < count; ++m)
      if (waits_for_[m] == 0) make_ready(m);
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
  Group& group_;
  std::vector<int> space_;                      // by member: its number, or -1
  std::unordered_map<int, std::size_t> place_;  // by node
  std::vector<int> waits_for_;                  // by member: how many, not taken yet
  std::vector<std::vector<std::size_t>> followers_;
  std::set<std::size_t> ready_;
  std::vector<std::set<std::size_t>> ready_in_;  // by space
};

}  // namespace

void form_kernels(const Program& program, Schedule& schedule) {
  std::unordered_map<int, int> new_value_of;
  for (const ProgramNode& node : program.nodes)
    if (node.kind == Kind::assign) new_value_of[node.inputs[0]] = program.root(node.inputs[1]);
  std::vector<Group> groups;
  Group singles;  // steps in a row that no region comes between; what may write variables apart
  const auto end_singles = [&] {
    Forming(program, new_value_of, singles, largest_whole).form();
    std::size_t next = 0;
    const auto add = [&](std::size_t count) {
      Group& group = groups.emplace_back();
      const auto first = singles.nodes.begin() + static_cast<std::ptrdiff_t>(next);
      group.nodes.assign(first, first + static_cast<std::ptrdiff_t>(count));
      if (count > 1) group.kernels = {{0, count}};
      next += count;
    };
    for (const Group::Stretch& kernel : singles.kernels) {
      while (next < kernel.first) add(1);
      add(kernel.count);
    }
    while (next < singles.nodes.size()) add(1);
    singles = {};
  };
  for (Group& group : schedule.groups) {
    const bool region = group.strip_rows > 0;
    if (region || (!singles.nodes.empty() &&
                   schedule.may_write[at(singles.nodes.back())] != schedule.may_write[at(group.nodes.front())]))
      end_singles();
    if (!region) {
      singles.nodes.push_back(group.nodes.front());
      continue;
    }
    Forming(program, new_value_of, group, std::numeric_limits<std::int64_t>::max()).form();
    groups.push_back(std::move(group));
  }
  end_singles();
  schedule.groups = std::move(groups);
}

}  // namespace gradus
