// An optimizer's step on some rows of its variable's table in one loop: the new states and the new variable are worked
// out row by row, where their tables lie, and what is computed between never exists. The loop waits for square roots
// and divisions; what it reads and writes meanwhile costs nothing. Which steps have such a loop, the ops tell
// (FusedSteps).
#pragma once

#include <gradus/core/plan/memory.h>

#include <array>
#include <functional>
#include <span>
#include <vector>

namespace gradus {

/// Decides which nodes of the plan's regions are fused (MemoryPlan::fused): the steps of an update that nobody else
/// reads, the rows of states that only they read, and the gradient, if it is a product and a sum that only they read.
/// `group_of` has, by node, the group that computes it, and `readers`, by root, how often its values are read.
void choose_fused(const Program& program, const Schedule& schedule, std::span<const int> group_of,
                  std::span<const int> readers, MemoryPlan& plan);

class FusedUpdate {
 public:
  /// Of a node that is fused with itself. `values` are the plan's, by node; tile_of(node) gives the rows at hand of
  /// one.
  FusedUpdate(const Program& program, const MemoryPlan& memory, int id, std::vector<Value>& values,
              const std::function<const Value*(int)>& tile_of);

  /// `rows` has the index of the rows at hand.
  void run(const Value& rows) const;

 private:
  FusedKernel kernel_;
  Value* table_;
  std::vector<Value*> states_;
  const Value* old_;
  const Value* gradient_;
  const Value* column_ = nullptr;
  const Value* factor_ = nullptr;
  std::vector<const Value*> numbers_;
};

}  // namespace gradus
