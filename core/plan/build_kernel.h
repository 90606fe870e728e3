// Kernels (core/kernel/kernel.h) of the nodes of a program. The nodes' ops are asked for their formulas alone, so that
// any op with one may be part of a kernel.
#pragma once

#include <gradus/core/plan/loop_space.h>
#include <gradus/core/plan/memory.h>

#include <functional>
#include <optional>
#include <span>

namespace gradus {

/// Where a node can be part of a kernel on the CPU, the space: it is elementwise and dense, or goes along the rows of a
/// table that a known set holds, or looks such rows up.
std::optional<LoopSpace> kernel_space(const Program& program, int node);

/// Where a node can be part of the kernel of its operand on the CPU, or of what that is a view of: a sum over
/// neighbouring axes of a dense space. `has_all`: a call has all of the space, and is not for some rows.
std::optional<FoldedAxes> kernel_fold(const Program& program, int node, bool has_all);

/// The kernel of `nodes`, all of this space or folds of those that are, in order. `has_all` as above; `is_stored` tells
/// whether a node's result is needed outside, `table` which variable's rows it replaces, or -1.
Kernel make_kernel(const Program& program, const LoopSpace& space, std::span<const int> nodes, bool has_all,
                   const std::function<bool(int)>& is_stored, const std::function<int(int)>& table);

/// Of all of the space, with what the plan stores, as a GPU runs it.
Kernel make_kernel(const Program& program, std::span<const int> nodes, const MemoryPlan& memory);

}  // namespace gradus
