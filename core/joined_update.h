// An optimizer's step on some rows of two tables in one loop: the new state and the new variable are worked out row by
// row, where the tables lie, and the state is neither gathered before nor scattered after. The loop waits for square
// roots and divisions; what it reads and writes meanwhile costs nothing.
#pragma once

#include <gradus/core/memory.h>

#include <span>

namespace gradus {

/// Where the operands of a joined loop (JoinedRows) come from, by node.
struct JoinedNodes {
  int state = -1;     // the rows of the state that are read, looked up in its table
  int first = -1;     // the new ones
  int variable = -1;  // the rows of the variable, which exist beside its table
  int rate = -1;
  int slope = -1;   // what is read as the slope, or where the loop computes it, as `whole_slope`, is added to:
  int column = -1;  // else -1, as
  int factor = -1;
  int whole_slope = -1;
};

/// Those of node `second`, if the plan joins others with it; otherwise .first is -1.
JoinedNodes joined_with(const Program& program, const MemoryPlan& memory, int second);

/// The loop of node `second` and those joined with it; null where there is none.
JoinedKernel joined_kernel(const Program& program, const JoinedNodes& nodes, int second);

/// Decides which nodes of the plan's regions are joined (MemoryPlan::joined): updates of two tables whose ops have a
/// loop for both, the first read by the second alone; the rows of the state that only the first reads; and the slope,
/// if it is one more such op that only they read. `readers` has, by root, how often its numbers are read.
void choose_joined(const Program& program, const Schedule& schedule, std::span<const int> readers, MemoryPlan& plan);

}  // namespace gradus
