// Which nodes are one kernel (core/kernel/kernel.h): of a region, and of small steps that are there as a whole.
#pragma once

#include <gradus/core/plan/schedule.h>

namespace gradus {

/// Orders the nodes so that elementwise ones over the same space, which wait for nothing between, stand together, and
/// notes where they do: in regions, and among single steps, of which those of one kernel become a group. A node that
/// gives a variable its new value still comes after all that read the old one.
void form_kernels(const Program& program, Schedule& schedule);

}  // namespace gradus
