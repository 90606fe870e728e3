// Levels of steps: those of one time, one level and one key run together, as a region or a kernel. Along the way from
// one such step to another nothing is needed as a whole.
#pragma once

#include <gradus/core/plan/schedule.h>

#include <climits>
#include <functional>
#include <map>
#include <span>
#include <tuple>
#include <vector>

namespace gradus {

class Levels {
 public:
  /// How many levels node `id` is above `root`, its input i, at the least.
  using Between = std::function<int(int id, int i, int root)>;
  /// Whether a node may come later than it could, to be with those that read it.
  using CanWait = std::function<bool(int id)>;

  Levels(const Program& program, const Timing& times, Between between, CanWait can_wait)
      : program_(program), times_(times), between_(std::move(between)), can_wait_(std::move(can_wait)) {}

  /// By node, the first level that it can have, from `lowest` on.
  std::vector<int> first(std::vector<int> lowest) const;
  /// By node, the last level that its readers allow; INT_MAX where it has none.
  std::vector<int> last(const std::vector<int>& first) const { return choose(first, {}).last; }
  /// Each as late as its readers allow, if it can wait, or at the level of those that it is to be `together` with: by
  /// node, or -1; empty: with none.
  std::vector<int> late(const std::vector<int>& first, std::span<const int> together = {}) const {
    return choose(first, together).level;
  }

 private:
  struct Chosen {
    std::vector<int> level, last;
  };
  Chosen choose(const std::vector<int>& first, std::span<const int> together) const;
  template <class F>
  void for_each_before(int id, F&& f) const {
    for_each_read(program_, program_.nodes[static_cast<std::size_t>(id)], [&](int i, int root) {
      const auto at_root = static_cast<std::size_t>(root);
      if (is_computed(program_.nodes[at_root]) && times_.of[at_root] == times_.of[static_cast<std::size_t>(id)])
        f(i, root);
    });
  }

  const Program& program_;
  const Timing& times_;
  Between between_;
  CanWait can_wait_;
};

/// Nodes of one time, level and key, in the order of times and levels. `key_of(id, single)` gives a node's: `single` is
/// a number that no other node has.
template <class KeyOf>
std::vector<std::vector<int>> nodes_by_level(const Program& program, const Timing& times, const std::vector<int>& level,
                                             KeyOf&& key_of) {
  const int count = static_cast<int>(program.nodes.size());
  std::map<std::tuple<Time, int, decltype(key_of(0, 0))>, std::vector<int>> groups;
  // What waits reads old values of variables, which the others may write: it comes first.
  for (const bool waits : {true, false})
    for (int id = 0; id < count; ++id) {
      const auto at = static_cast<std::size_t>(id);
      if (!is_computed(program.nodes[at]) || times.waits[at] != waits) continue;
      groups[{times.of[at], level[at], key_of(id, id - (waits ? 2 : 1) * count)}].push_back(id);
    }
  std::vector<std::vector<int>> made;
  for (auto& [key, nodes] : groups) made.push_back(std::move(nodes));
  return made;
}

}  // namespace gradus
