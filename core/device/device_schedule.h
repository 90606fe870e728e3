// The order of work on an accelerator: which nodes one kernel computes together. A group of several is elementwise
// nodes over one space (loop_space.h) with the folds that end them; its tiles are single elements. All other groups
// are one node.
#pragma once

#include <gradus/core/plan/schedule.h>

namespace gradus {

/// With `fuse` false, every group is a single node.
Schedule device_schedule(const Program& program, bool fuse);

}  // namespace gradus
