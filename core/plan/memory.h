// Where numbers lie during a run, decided before the first: which computed values go straight into the memory
// of the variable they are assigned to, and at which offset of one arena all others are, reused after their
// last use.
#pragma once

#include <gradus/core/plan/schedule.h>

#include <cstdint>
#include <vector>

namespace gradus {

struct MemoryPlan {
  std::vector<std::int64_t> offset;  // by node: bytes into the arena; -1 where its memory is elsewhere
  std::vector<int> in_variable;      // by node: the variable node whose memory it writes, or -1
  std::vector<int> scattered;        // by node: the variable whose rows it replaces tile by tile, or -1
  std::vector<bool> kept;            // by node: whether it exists as a whole, and not just in the tiles of its region
  std::vector<bool> inner;           // by node: whether nobody outside its group reads it
  std::vector<int> copied;           // assign nodes whose value is copied to the variable when the run ends
  std::int64_t arena_bytes = 0;
};

/// Whether a step may write its result over the memory of its input i: an elementwise one that reads the input in step
/// with its output.
bool may_overwrite(const Program& program, const ProgramNode& node, int i);

MemoryPlan plan_memory(const Program& program, const Schedule& schedule);

}  // namespace gradus
