// Which nodes of a region are one kernel (core/kernel/kernel.h).
#pragma once

#include <gradus/core/plan/schedule.h>

namespace gradus {

/// Orders the nodes of each region so that elementwise ones over the same space, which wait for nothing between, stand
/// together, and notes where they do. A node that gives a variable its new value still comes after all that read the
/// old one.
void form_kernels(const Program& program, Schedule& schedule);

}  // namespace gradus
