#include <gradus/core/device/device_schedule.h>

#include <gradus/core/at.h>
#include <gradus/core/kernel/gpu_text.h>
#include <gradus/core/plan/levels.h>
#include <gradus/core/plan/loop_space.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace gradus {

namespace {

constexpr std::size_t most_nodes = 48;   // in a kernel: each may bring an operand, which is an argument, and a register
constexpr std::int64_t large = 1 << 16;  // elements that are worth reading once rather than twice

class Grouping {
 public:
  explicit Grouping(const Program& program)
      : program_(program), tiles_(size()), spaces_(size()), rows_(size()), matrices_(size()), readers_(size(), 0) {
    for (int id = 0; id < static_cast<int>(size()); ++id)
      if (is_computed(node(id))) {
        set_space(id);
        for_each_read(program, node(id), [&](int, int root) { ++readers_[at(root)]; });
      }
    times_ = choose_times(program, tiles_);
  }

  Schedule schedule(bool fuse) {
    Schedule schedule;
    const std::vector<std::optional<LoopSpace>> spaces = spaces_;
    if (!fuse) std::fill(spaces_.begin(), spaces_.end(), std::nullopt);
    std::vector<std::vector<int>> groups = collect();
    while (leave_groups(groups)) groups = collect();
    for (const std::vector<int>& nodes : groups)
      for (std::size_t first = 0; first < nodes.size(); first += most_nodes) {
        Group& part = schedule.groups.emplace_back();
        const auto begin = nodes.begin() + static_cast<std::ptrdiff_t>(first);
        part.nodes.assign(begin, begin + static_cast<std::ptrdiff_t>(std::min(most_nodes, nodes.size() - first)));
        part.tile_rows = part.nodes.size() > 1 ? 1 : 0;
        const int front = part.nodes.front();
        if (spaces[at(front)] && (!matrices_[at(front)] || nodes.size() > 1)) part.kernels = {{0, part.nodes.size()}};
      }
    schedule.tiles = tiles_;
    for (const Time time : times_.of) schedule.may_write.push_back(time == Time::last);
    return schedule;
  }

 private:
  std::size_t size() const { return program_.nodes.size(); }
  const ProgramNode& node(int id) const { return program_.nodes[at(id)]; }
  bool is_fold(int id) const { return rows_[at(id)].has_value(); }

  void set_space(int id) {
    spaces_[at(id)] = loop_space(program_, id);
    if (!spaces_[at(id)]) return;
    int of = -1;
    if (gradus::is_fold(program_, id)) {
      const Fold fold = fold_of(program_, id);
      rows_[at(id)] = fold_rows(program_, id);
      if (fold.matrix) matrices_[at(id)] = {fold.of, registers_of_row(fold.matrix->columns, node(id).type.dtype)};
      if (fold.matrix && !takes_matrix(id)) return spaces_[at(id)].reset();
      of = fold.of;
    }
    tiles_[at(id)] = tiles_of(id, of);
  }

  // As of a region whose tiles are one element long. `of`: the input that is folded, or -1.
  Tiles tiles_of(int id, int of) const {
    const std::vector<Type> types = loop_inputs(program_, id);
    Tiles tiles{of < 0 ? Tiles::Gives::rows : Tiles::Gives::accumulated, 0, 0, 0};
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (matrices_[at(id)] && static_cast<int>(i) != of) continue;
      const auto access = loop_operand(types[i], of < 0 ? node(id).type : types[at(of)]).access;
      if (access == LoopOperand::Access::in_step) tiles.sliced |= 1U << i;
      if (access == LoopOperand::Access::looked_up && types[i].shape == node(id).type.shape) tiles.looked_up |= 1U << i;
    }
    return tiles;
  }

  std::int64_t elements(int id) const {
    std::int64_t count = 1;
    for (const std::int64_t dim : spaces_[at(id)]->dims) count *= dim;
    return count;
  }
  bool is_large(int id) const { return spaces_[at(id)]->layout == Layout::dense && elements(id) >= large; }

  // Whether a product by a matrix may be a fold at all: it is one if it shares what it reads (leave_groups()).
  bool takes_matrix(int id) const {
    const FoldRows& rows = *rows_[at(id)];
    return is_floating(node(id).type.dtype) && is_large(id) && matrices_[at(id)]->registers <= most_sums &&
           takes_matrices(rows.count, elements(id) / rows.count, rows.of == FoldRows::Of::columns);
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

  bool can_wait(int id) const { return !times_.waits[at(id)] && spaces_[at(id)] && !is_bound(id); }

  // Folds along the same rows of a large space read it once, if they can come at one level: at as few levels as can be.
  // By node the level, or -1.
  std::vector<int> choose_together(const std::vector<int>& first, const std::vector<int>& last) const {
    std::vector<int> together(size(), -1);
    std::map<std::tuple<Time, LoopSpace, FoldRows::Of, std::int64_t>, std::vector<int>> passes;
    for (int id = 0; id < static_cast<int>(size()); ++id)
      if (spaces_[at(id)] && is_fold(id) && is_large(id))
        passes[{times_.of[at(id)], *spaces_[at(id)], rows_[at(id)]->of, rows_[at(id)]->count}].push_back(id);
    for (auto& [key, folds] : passes) {
      if (folds.size() < 2) continue;
      std::sort(folds.begin(), folds.end(), [&](int a, int b) { return first[at(a)] > first[at(b)]; });
      // From the last level that any must have on: whatever can wait until then does.
      int level = INT_MAX;
      for (const int id : folds) {
        if (first[at(id)] != level && (!can_wait(id) || last[at(id)] < level || level == INT_MAX))
          level = first[at(id)];
        together[at(id)] = level;
      }
    }
    return together;
  }

  // Nodes of one level and one space are a kernel. Each comes as late as its users allow, but for folds of what others
  // read too, which belong to it, and such as read what is large together.
  std::vector<std::vector<int>> collect() const {
    const Levels levels(
        program_, times_, [&](int id, int i, int root) { return flows(id, i, root) ? 0 : 1; },
        [&](int id) { return can_wait(id); });
    const std::vector<int> first = levels.first(std::vector<int>(size(), 0));
    const std::vector<int> late = levels.late(first, choose_together(first, levels.last(first)));
    return nodes_by_level(program_, times_, late, [&](int id, int single) {
      return std::tuple(spaces_[at(id)], spaces_[at(id)] ? 0 : single);
    });
  }

  // A kernel goes along rows of one length: folds of others than the first's leave its group. So do products by
  // matrices that share nothing there, which a library does better, or for which a thread has no registers left.
  bool leave_groups(const std::vector<std::vector<int>>& groups) {
    bool found = false;
    for (const std::vector<int>& group : groups) {
      std::optional<FoldRows> rows;
      std::int64_t registers = 0;
      for (const int id : group) {
        if (!is_fold(id) || !spaces_[at(id)]) continue;
        if (!rows) rows = rows_[at(id)];
        bool leaves = *rows_[at(id)] != *rows;
        if (const auto& matrix = matrices_[at(id)]; matrix && !leaves) {
          leaves = registers + matrix->registers > most_sums || !shares_what_it_folds(id, group);
          if (!leaves) registers += matrix->registers;
        }
        if (!leaves) continue;
        spaces_[at(id)].reset();
        if (matrices_[at(id)]) tiles_[at(id)] = {};
        found = true;
      }
    }
    return found;
  }

  // Whether others of the group read what a product folds, or one computes it.
  bool shares_what_it_folds(int id, const std::vector<int>& group) const {
    const int folded = program_.root(node(id).inputs[at(matrices_[at(id)]->of)]);
    return std::any_of(group.begin(), group.end(), [&](int other) {
      bool reads = other == folded;
      if (other != id)
        for_each_read(program_, node(other), [&](int i, int root) {
          reads = reads || (root == folded && ((tiles_[at(other)].sliced >> static_cast<unsigned>(i)) & 1U) != 0);
        });
      return reads;
    });
  }

  struct Product {
    int of;                  // the input that is folded
    std::int64_t registers;  // of a row's sums
  };

  const Program& program_;
  std::vector<Tiles> tiles_;
  std::vector<std::optional<LoopSpace>> spaces_;  // by node: none for those that no other may join
  std::vector<std::optional<FoldRows>> rows_;     // of folds
  std::vector<std::optional<Product>> matrices_;  // of folds by a matrix
  Timing times_;
  std::vector<int> readers_;  // by node
};

}  // namespace

Schedule device_schedule(const Program& program, bool fuse) { return Grouping(program).schedule(fuse); }

}  // namespace gradus
