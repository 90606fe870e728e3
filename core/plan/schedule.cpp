#include <gradus/core/plan/schedule.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/levels.h>

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace gradus {

Tiles elementwise_tiles(std::span<const Type> in, const Type& out) {
  if (out.shape.rank() == 0) return {};
  Tiles tiles{Tiles::Gives::rows, 0, holds_rows(out) ? 0 : out.shape[0], 0};
  // Axes that all large operands have may be cut as one; of the others nothing varies along them.
  if (out.layout == Layout::dense) {
    tiles.most_axes = out.shape.rank();
    for (const Type& type : in)
      if (type.layout == Layout::dense && type.shape != out.shape && type.shape.size() != 1) tiles.most_axes = 1;
  }
  for (std::size_t i = 0; i < in.size(); ++i) {
    const bool along = in[i].shape.rank() == out.shape.rank() && in[i].shape[0] == out.shape[0];
    const bool varies = in[i].shape.size() != 1 || out.shape.size() == 1;
    if (along && varies && holds_rows(in[i]) == holds_rows(out)) tiles.sliced |= 1U << i;
    if (along && holds_rows(out) && !holds_rows(in[i])) tiles.looked_up |= 1U << i;
  }
  return tiles;
}

namespace {

constexpr std::int64_t tile_bytes = 144 << 10;  // what the nodes of a region may touch of one tile: a part of L2
constexpr std::int64_t fewest_rows = 16;
constexpr std::int64_t most_rows = 4096;
constexpr std::int64_t long_row = 2048;  // elements: of longer rows fewer fit, and where all allow it they are cut too

Tiles tiles_of(const Program& program, const ProgramNode& node) {
  const std::vector<Type> types = input_types(program, node);
  // Rows held are cut alike where it is known that they are the same.
  if (holds_rows(node.type) && !program.facts.row_set(node.origin).valid()) return {};
  if (node.op->row_kernel(types) == nullptr) return node.op->tiles(types, node.type);
  // Different patterns would have to be united first.
  Expr source;
  for (const int input : node.inputs) {
    const Expr& csr = program.nodes[at(input)].origin;
    if (csr.layout() != Layout::csr) continue;
    const Expr mine = program.facts.pattern_source(csr);
    if (source.valid() && !same_node(source, mine)) return {};
    source = mine;
  }
  return elementwise_tiles(types, node.type);
}

// What a node's tiles are cut of: its result, or what it sums.
const Shape& cut_shape(const Program& program, const ProgramNode& node, const Tiles& tiles) {
  if (tiles.gives == Tiles::Gives::rows) return node.type.shape;
  const int first = std::countr_zero(tiles.sliced);
  return program.nodes[at(node.inputs[at(first)])].type.shape;
}

// Rows that are too long for the cache are cut as well, where all that shares a shape can be cut along more axes.
void cut_long_rows(const Program& program, std::vector<Tiles>& tiles) {
  const auto is_cut = [&](std::size_t id) {
    return tiles[id].gives != Tiles::Gives::nothing && tiles[id].rows > 0 && tiles[id].sliced != 0;
  };
  std::map<std::vector<std::int64_t>, int> most_axes;
  const auto key = [&](std::size_t id) {
    const std::span<const std::int64_t> dims = cut_shape(program, program.nodes[id], tiles[id]).dims();
    return std::vector<std::int64_t>(dims.begin(), dims.end());
  };
  for (std::size_t id = 0; id < tiles.size(); ++id)
    if (is_cut(id)) {
      const auto [entry, is_new] = most_axes.try_emplace(key(id), tiles[id].most_axes);
      entry->second = std::min(entry->second, tiles[id].most_axes);
    }
  for (std::size_t id = 0; id < tiles.size(); ++id) {
    if (!is_cut(id)) continue;
    const Shape& shape = cut_shape(program, program.nodes[id], tiles[id]);
    const int most = most_axes[key(id)];
    for (int axes = 1; axes < most && tiles[id].rows * long_row < shape.size(); ++axes) tiles[id].rows *= shape[axes];
  }
}

// A step whose rows are parts of another's, as those of [n * f, k] are of [n, f, k], goes by tiles of that one's.
void follow_rows(const Program& program, std::vector<Tiles>& tiles) {
  constexpr std::int64_t longest = 4 * long_row;
  for (std::size_t id = 0; id < tiles.size(); ++id) {
    Tiles& mine = tiles[id];
    if (mine.gives == Tiles::Gives::nothing || mine.rows == 0) continue;
    for_each_read(program, program.nodes[id], [&](int i, int root) {
      const Tiles& theirs = tiles[at(root)];
      if (theirs.gives != Tiles::Gives::rows || theirs.rows == 0 ||
          ((mine.sliced >> static_cast<unsigned>(i)) & 1U) == 0)
        return;
      if (theirs.rows < mine.rows && mine.rows % theirs.rows == 0 &&
          program.nodes[at(root)].type.shape.size() <= theirs.rows * longest)
        mine.rows = theirs.rows;
    });
  }
}

std::vector<Tiles> all_tiles(const Program& program) {
  std::vector<Tiles> tiles(program.nodes.size());
  for (std::size_t id = 0; id < program.nodes.size(); ++id)
    if (is_computed(program.nodes[id])) tiles[id] = tiles_of(program, program.nodes[id]);
  cut_long_rows(program, tiles);
  follow_rows(program, tiles);
  return tiles;
}

// Elementwise and without integers (whose division may throw), or a look-up of rows: once such a step begins, it ends
// well. Rows that are not known to be the same may not fit each other.
bool cannot_fail(const Program& program, const ProgramNode& node, const Tiles& tiles) {
  const std::vector<Type> types = input_types(program, node);
  const bool elementwise = node.op->row_kernel(types) != nullptr;
  if (node.type.layout == Layout::csr || (holds_rows(node.type) && tiles.gives != Tiles::Gives::rows)) return false;
  return (elementwise || tiles.looked_up != 0) &&
         std::none_of(types.begin(), types.end(), [](const Type& t) { return is_integer(t.dtype); });
}

}  // namespace

Timing choose_times(const Program& program, const std::vector<Tiles>& tiles) {
  const int count = static_cast<int>(program.nodes.size());
  std::vector<Time> time(at(count), Time::early);
  std::vector<bool> assigned(at(count), false);
  for (const ProgramNode& node : program.nodes)
    if (node.kind == Kind::assign) {
      time[at(program.root(node.inputs[1]))] = Time::late;
      assigned[at(program.root(node.inputs[1]))] = true;
    }
  for (int id = 0; id < count; ++id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (is_computed(node))
      for_each_read(program, node, [&](int, int root) {
        if (is_computed(program.nodes[at(root)])) time[at(id)] = std::max(time[at(id)], time[at(root)]);
      });
  }
  // A single number that is computed from nothing that comes last need not come last either: so all that a rate is
  // worked out from is there before the loops over large variables that read it.
  for (int id = 0; id < count; ++id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (time[at(id)] != Time::late || !is_computed(node) || !cannot_fail(program, node, tiles[at(id)])) continue;
    bool reads_last = false;
    for_each_read(program, node, [&](int, int root) { reads_last = reads_last || time[at(root)] == Time::last; });
    if (assigned[at(id)] || reads_last || node.type.shape.size() != 1) time[at(id)] = Time::last;
  }
  // What leads to another step than a last one is not last itself; what leads to last ones only, and cannot fail, may
  // wait for them.
  std::vector<bool> waits(at(count), false);
  std::vector<bool> only_last(at(count), true);
  std::vector<bool> read(at(count), false);
  for (const int fetch : program.fetches) only_last[at(program.root(fetch))] = false;
  for (int id = count - 1; id >= 0; --id) {
    const ProgramNode& node = program.nodes[at(id)];
    if (!is_computed(node)) continue;
    if (time[at(id)] == Time::early && read[at(id)] && only_last[at(id)] && cannot_fail(program, node, tiles[at(id)])) {
      time[at(id)] = Time::last;
      waits[at(id)] = true;
    }
    for_each_read(program, node, [&](int, int root) {
      read[at(root)] = true;
      if (time[at(id)] == Time::last) return;
      only_last[at(root)] = false;
      if (time[at(root)] == Time::last) time[at(root)] = Time::late;
    });
  }
  return {std::move(time), std::move(waits)};
}

namespace {

class Grouping {
 public:
  // `tiles` change where a csr result leaves its region.
  Grouping(const Program& program, const Timing& times, std::vector<Tiles>& tiles)
      : program_(program),
        times_(times),
        tiles_(tiles),
        active_in_(program.nodes.size(), -1),
        fits_(program.nodes.size(), false) {
    for (int id = 0; id < count(); ++id)
      if (tiles_[at(id)].gives == Tiles::Gives::rows && holds_rows(node(id).type))
        active_in_[at(id)] = program_.facts.row_set(node(id).origin).id();
    find_what_fits();
  }

  std::vector<Group> groups() {
    // A csr result that somebody outside needs would have to be there as a whole: it leaves its region.
    std::vector<Group> made = collect();
    while (!all_csr_stay_inside(made)) made = collect();
    std::vector<Group> result;
    for (Group& group : made) {
      choose_tile_rows(group);
      if (group.tile_rows > 0) {
        result.push_back(std::move(group));
      } else {
        for (const int id : group.nodes) result.push_back({{id}});
      }
    }
    return result;
  }

 private:
  int count() const { return static_cast<int>(program_.nodes.size()); }
  const ProgramNode& node(int id) const { return program_.nodes[at(id)]; }
  bool in_region(int id) const { return tiles_[at(id)].gives != Tiles::Gives::nothing && !fits_[at(id)]; }

  // Steps of as many rows that fit the cache all together are single ones, for one tile would be all: no region is to
  // wait for another's end because such a step is in between.
  void find_what_fits() {
    std::unordered_map<std::int64_t, std::int64_t> bytes;  // by number of rows
    const auto may_fit = [&](int id) { return tiles_[at(id)].rows > 0 && active_in_[at(id)] < 0; };
    for (int id = 0; id < count(); ++id) {
      if (!may_fit(id)) continue;
      std::int64_t& sum = bytes[tiles_[at(id)].rows];
      const auto add = [&](const Type& type) {
        const auto size = static_cast<std::int64_t>(size_of(type.dtype));
        sum =
            type.shape.size() > tile_bytes ? tile_bytes + 1 : std::min(tile_bytes + 1, sum + type.shape.size() * size);
      };
      add(node(id).type);
      for_each_read(program_, node(id), [&](int, int root) { add(node(root).type); });
    }
    for (int id = 0; id < count(); ++id) fits_[at(id)] = may_fit(id) && bytes[tiles_[at(id)].rows] <= tile_bytes;
  }

  // Whether node `id` can take its input i tile by tile as `root` gives it.
  bool flows(int id, int i, int root) const {
    const Tiles& from = tiles_[at(root)];
    const Tiles& to = tiles_[at(id)];
    const Shape& shape = node(node(id).inputs[at(i)]).type.shape;  // the view's
    return from.gives == Tiles::Gives::rows && to.gives != Tiles::Gives::nothing && from.rows == to.rows &&
           active_in_[at(root)] == active_in_[at(id)] && ((to.sliced >> static_cast<unsigned>(i)) & 1U) != 0 &&
           shape.rank() > 0 &&
           (active_in_[at(root)] >= 0 || (from.rows > 0 && cut_as_one(shape, from.rows)[0] % from.rows == 0));
  }

  // How many levels node `id` is above `root`, its input i, at the least. Levels of regions are odd, those of single
  // steps even, where each may read the ones before it: so no region waits for a step that could come before it.
  int levels_between(int id, int i, int root) const {
    if (flows(id, i, root)) return 0;
    return (in_region(id) ? 1 : 0) + (in_region(root) ? 1 : 0);
  }

  // Nodes of one level and the same number of rows make a region. Each comes as late as its users allow, to be with
  // them, but for sums: they are whole at the end, and belong to what they sum.
  std::vector<Group> collect() const {
    const Levels levels(
        program_, times_, [&](int id, int i, int root) { return levels_between(id, i, root); },
        [&](int id) { return !times_.waits[at(id)] && tiles_[at(id)].gives == Tiles::Gives::rows; });
    std::vector<int> lowest;
    for (int id = 0; id < count(); ++id) lowest.push_back(in_region(id) ? 1 : 0);
    std::vector<Group> made;
    for (std::vector<int>&nodes :
         nodes_by_level(program_, times_, levels.late(levels.first(std::move(lowest))), [&](int id, int single) {
           return std::tuple(active_in_[at(id)], in_region(id) ? tiles_[at(id)].rows : std::int64_t{single});
         })) {
      const int last = nodes.back();
      made.push_back({std::move(nodes), in_region(last) ? tiles_[at(last)].rows : 0, 0, active_in_[at(last)]});
    }
    return made;
  }

  bool all_csr_stay_inside(const std::vector<Group>& groups) {
    std::vector<int> group_of(program_.nodes.size(), -1);
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (const int id : groups[g].nodes) group_of[at(id)] = static_cast<int>(g);
    bool inside = true;
    const auto leave = [&](int root) {
      if (node(root).type.layout != Layout::csr || !is_computed(node(root)) || !in_region(root)) return;
      tiles_[at(root)] = {};
      inside = false;
    };
    for (int id = 0; id < count(); ++id)
      if (is_computed(node(id)))
        for_each_read(program_, node(id), [&](int i, int root) {
          if (group_of[at(root)] != group_of[at(id)] || (is_computed(node(root)) && !flows(id, i, root))) leave(root);
        });
    for (const int fetch : program_.fetches) leave(program_.root(fetch));
    return inside;
  }

  // As many rows as fit the cache with what is read of other tensors and with what is alive at once; none where one
  // tile would be all.
  void choose_tile_rows(Group& group) const {
    if ((group.rows == 0 && group.active_in < 0) || group.nodes.size() < 2) return;
    const auto row_bytes = [&](int id) {
      const Type& type = node(id).type;
      constexpr std::int64_t csr_elements = 4;  // a guess: their number is not known yet
      const std::int64_t rows = std::max<std::int64_t>(1, holds_rows(type) ? type.shape[0] : group.rows);
      const std::int64_t elements = type.layout == Layout::csr ? csr_elements : type.shape.size() / rows;
      return elements * static_cast<std::int64_t>(size_of(type.dtype));
    };
    std::unordered_map<int, std::size_t> last_use;  // by root
    for (std::size_t m = 0; m < group.nodes.size(); ++m) {
      if (tiles_[at(group.nodes[m])].gives == Tiles::Gives::rows) last_use[group.nodes[m]] = m;
      for_each_read(program_, node(group.nodes[m]), [&](int i, int root) {
        if (((tiles_[at(group.nodes[m])].sliced >> static_cast<unsigned>(i)) & 1U) != 0) last_use[root] = m;
      });
    }
    std::vector<std::int64_t> ending(group.nodes.size(), 0);
    for (const auto& [root, m] : last_use) ending[m] += row_bytes(root);
    std::int64_t alive = 0;
    const std::unordered_set<int> members(group.nodes.begin(), group.nodes.end());
    for (const auto& [root, m] : last_use)
      if (!members.contains(root)) alive += row_bytes(root);
    std::int64_t most = alive;
    for (std::size_t m = 0; m < group.nodes.size(); ++m) {
      if (last_use.contains(group.nodes[m])) alive += row_bytes(group.nodes[m]);
      most = std::max(most, alive);
      alive -= ending[m];
    }
    const std::int64_t fit = tile_bytes / std::max<std::int64_t>(1, most);
    // Of long rows fewer, as long as they fit the rest of L2.
    const std::int64_t fewest = std::clamp<std::int64_t>(4 * fit, 1, fewest_rows);
    const std::int64_t rows = std::clamp(fit / 16 * 16, fewest, most_rows);
    if (group.rows >= 2 * rows || group.active_in >= 0) group.tile_rows = rows;
  }

  const Program& program_;
  const Timing& times_;
  std::vector<Tiles>& tiles_;
  std::vector<int> active_in_;  // by node: of rows and parts in regions, the csr node that touches the rows held
  std::vector<bool> fits_;
};

}  // namespace

Shape cut_as_one(const Shape& shape, std::int64_t rows) {
  std::int64_t product = 1;
  for (int axes = 1; axes <= shape.rank(); ++axes) {
    product *= shape[axes - 1];
    if (rows > 0 && product % rows == 0) return shape.slice(axes, shape.rank()).insert(0, product);
  }
  return shape;
}

std::vector<Type> input_types(const Program& program, const ProgramNode& node) {
  std::vector<Type> types;
  for (const int in : node.inputs) types.push_back(program.nodes[at(in)].type);
  return types;
}

Schedule make_schedule(const Program& program, bool use_tiles) {
  Schedule schedule;
  schedule.tiles = use_tiles ? all_tiles(program) : std::vector<Tiles>(program.nodes.size());
  const Timing times = choose_times(program, schedule.tiles);
  schedule.groups = Grouping(program, times, schedule.tiles).groups();
  schedule.may_write.resize(program.nodes.size());
  for (std::size_t id = 0; id < program.nodes.size(); ++id) schedule.may_write[id] = times.of[id] == Time::last;
  return schedule;
}

}  // namespace gradus
