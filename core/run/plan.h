// A plan: what a session runs for one set of fetches and one set of feed types. Everything that can be decided
// in advance is: the steps, their order, where each result lies, which variables are updated in place. Here is what
// the plans of all devices share; cpu_plan.h and device_plan.h run it.
#pragma once

#include <gradus/core/plan/memory.h>
#include <gradus/core/run/recorder.h>
#include <gradus/core/run/steps.h>
#include <gradus/core/run/variables.h>

#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace gradus {

class Plan {
 public:
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  virtual ~Plan() = default;

  /// Runs with the values of the feeds it was made for, in their order.
  virtual void run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder = nullptr) = 0;
  /// Fetch number i of the last run. Its memory is used again once the caller has dropped it.
  Tensor result(std::size_t i) const { return results_[i]; }
  /// The same, and the plan makes another in the next run.
  Tensor take_result(std::size_t i) { return std::exchange(results_[i], Tensor()); }
  /// From now on rows that are fetched may be those that the plan works with, and not a copy: until its next run, or
  /// that of another plan that works in the same memory.
  void lend_rows(bool lend) { lends_rows_ = lend; }

  std::int64_t arena_bytes() const { return memory_.arena_bytes; }
  /// The plan as data; `graph` is the user's.
  virtual PlanSteps steps(Graph& graph) const = 0;
  /// The nodes that steps() lists, by id.
  std::vector<int> listed() const;

 protected:
  /// How a group of the schedule runs, as far as its device decides that.
  struct GroupForm {
    std::optional<StepGroup> together = std::nullopt;
    std::optional<StepForm> form = std::nullopt;  // of its nodes
    std::vector<StepKernel> kernels = {};         // `first` is a place among the nodes of the group
  };
  /// What steps() gives but for the names of the device's; `forms` are by group of the schedule.
  PlanSteps list_steps(Graph& graph, std::span<const GroupForm> forms) const;
  /// The plan computes on `variables`, which outlive it, in the order that `schedule` makes of the program.
  Plan(Program program, Variables& variables, const std::function<Schedule(const Program&)>& schedule);

  Value& value(int node) { return values_[static_cast<std::size_t>(node)]; }
  const ProgramNode& node(int node) const { return program_.nodes[static_cast<std::size_t>(node)]; }
  /// Whether a node's numbers are at the same address in every run.
  bool has_static_address(int node) const;
  /// Whether a root is there as a whole, and not just tile by tile.
  bool exists(int root) const;
  /// Sets the values that lie still; `place` says where a constant's numbers are.
  void place_values(std::byte* arena, const std::function<const std::byte*(const Tensor&)>& place);
  /// The same values in an arena that lies elsewhere.
  void move_arena(std::byte* arena);
  /// By node: the views of it that must be set anew in every run, because it moves.
  std::vector<std::vector<int>> moving_views() const;
  static void show(const Value& shown, Value& view);
  /// Lets go of patterns and indices, which are shared with tensors of the caller's and with later steps: a step may
  /// write its index anew only when nobody else has it.
  void release();
  /// Makes room for the results whose size is known before the run, so that nothing which may fail is left when
  /// variables have been written.
  void make_room_for_results();
  /// What results_[i] is to hold: memory for as many numbers as `v` stores.
  Tensor& fresh_result(std::size_t i, const Value& v);
  /// Makes fetch i, whose numbers are in the memory of fresh_result, the tensor that it is.
  void finish_result(std::size_t i, const Value& v);
  std::byte* variable_memory(const Expr& variable) const;

  Program program_;
  Variables& variables_;
  Schedule schedule_;
  MemoryPlan memory_;
  std::vector<Value> values_;    // by node
  std::vector<Tensor> results_;  // by fetch
  std::vector<int> per_run_;     // nodes whose pattern or index is a run's
  bool lends_rows_ = false;
};

std::int64_t bytes_stored(const Value& value);

}  // namespace gradus
