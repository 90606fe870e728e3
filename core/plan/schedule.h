// The order of work: which nodes are computed when, and which of them together, tile by tile. A tile is a few rows
// of the leading axis: a region computes all of its nodes for one tile, whose numbers stay in the cache, before it
// goes on to the next. So a chain of elementwise ops, the products that feed it and the sums that end it read and write
// large tensors once, and what only they need of each other never exists as a whole.
#pragma once

#include <gradus/core/plan/program.h>

#include <cstdint>
#include <vector>

namespace gradus {

/// Nodes computed one after the other; in a region, on a tile at a time. Several that are no region are one kernel.
struct Group {
  std::vector<int> nodes;
  std::int64_t rows = 0;       // of the leading axis of a region; 0 for a single step, and where the run knows them
  std::int64_t tile_rows = 0;  // in a tile
  int active_in = -1;          // the csr node whose active columns are the rows of the region; else -1
  /// Stretches of `nodes` that are one kernel: the first, and how many.
  struct Stretch {
    std::size_t first, count;
  };
  std::vector<Stretch> kernels = {};
};

struct Schedule {
  std::vector<Group> groups;
  std::vector<Tiles> tiles;     // by node: how it runs in a region
  std::vector<bool> may_write;  // by node: whether it may write a variable before the run ends
};

/// When in a run a node is computed. Values to be assigned are computed late, with all that follows from them: by then
/// the old values have been read, so most can be written in place. Last of all come the steps that cannot fail and that
/// only such steps follow, but for single numbers that read nothing of theirs. They alone may write a variable: an
/// error in any other leaves every variable as it was.
enum class Time : std::uint8_t { early, late, last };

struct Timing {
  std::vector<Time> of;     // by node
  std::vector<bool> waits;  // by node: it could be early, but comes with the last; its inputs are early or wait too
};

Timing choose_times(const Program& program, const std::vector<Tiles>& tiles);

/// With `use_tiles` false, every group is a single step.
Schedule make_schedule(const Program& program, bool use_tiles);

/// The shape with the leading axes that tiles cut taken for one, which is `rows` times as many as one of them has; the
/// shape as it is where no axes are that.
Shape cut_as_one(const Shape& shape, std::int64_t rows);

/// Whether the node has a kernel to run: it is no view, and somebody needs its numbers.
inline bool is_computed(const ProgramNode& node) { return node.live && node.kind == Kind::op && !node.is_view; }

/// The tiles of an elementwise op: of an operand with the result's leading axis, the same rows; others are read whole.
Tiles elementwise_tiles(std::span<const Type> in, const Type& out);

/// Calls f(input index, root) for each input whose numbers the node reads.
template <class F>
void for_each_read(const Program& program, const ProgramNode& node, F&& f) {
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i)
    if (node.op->reads(i)) f(i, program.root(node.inputs[static_cast<std::size_t>(i)]));
}

/// The types of a node's inputs.
std::vector<Type> input_types(const Program& program, const ProgramNode& node);

}  // namespace gradus
