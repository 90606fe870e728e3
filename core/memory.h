// Where numbers lie during a run, decided before the first: which computed values go straight into the memory
// of the variable they are assigned to, and at which offset of one arena all others are, reused after their
// last use.
#pragma once

#include <gradus/core/program.h>

#include <cstdint>
#include <vector>

namespace gradus {

struct MemoryPlan {
  std::vector<int> order;            // the nodes that are computed, in order
  std::vector<std::int64_t> offset;  // by node: bytes into the arena; -1 where its memory is elsewhere
  std::vector<int> in_variable;      // by node: the variable node whose memory it writes, or -1
  std::vector<int> copied;           // assign nodes whose value is copied to the variable when the run ends
  std::int64_t arena_bytes = 0;
};

MemoryPlan plan_memory(const Program& program);

}  // namespace gradus
