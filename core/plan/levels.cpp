#include <gradus/core/plan/levels.h>

#include <gradus/core/at.h>

#include <algorithm>

namespace gradus {

std::vector<int> Levels::first(std::vector<int> lowest) const {
  for (int id = 0; id < static_cast<int>(lowest.size()); ++id)
    if (is_computed(program_.nodes[at(id)]))
      for_each_before(id, [&](int i, int root) {
        lowest[at(id)] = std::max(lowest[at(id)], lowest[at(root)] + between_(id, i, root));
      });
  return lowest;
}

Levels::Chosen Levels::choose(const std::vector<int>& first, std::span<const int> together) const {
  Chosen chosen{first, std::vector<int>(first.size(), INT_MAX)};
  for (int id = static_cast<int>(first.size()) - 1; id >= 0; --id) {
    if (!is_computed(program_.nodes[at(id)])) continue;
    int& level = chosen.level[at(id)];
    const int last = chosen.last[at(id)];
    const int alone = last != INT_MAX && can_wait_(id) ? std::max(level, last) : level;
    const bool joins = !together.empty() && together[at(id)] >= 0;
    level = joins ? std::clamp(together[at(id)], level, last) : alone;
    // What a node that joins others waits for need not wait, too.
    for_each_before(id, [&](int i, int root) {
      const int between = between_(id, i, root);
      const int latest = between == 0 ? level : std::min(level, alone) - between;
      chosen.last[at(root)] = std::min(chosen.last[at(root)], latest);
    });
  }
  return chosen;
}

}  // namespace gradus
