// A plan: what a session runs for one set of fetches and one set of feed types. Everything that can be decided
// in advance is: the steps, their order, where each result lies, which variables are updated in place. After its
// first run a plan allocates nothing, unless a run makes more non-zeros than any before it.
#pragma once

#include <gradus/core/loop.h>
#include <gradus/core/memory.h>
#include <gradus/core/recorder.h>
#include <gradus/core/region.h>
#include <gradus/core/variables.h>

#include <optional>
#include <string>
#include <vector>

namespace gradus {

class Plan {
 public:
  /// The plan computes with `workers` on `variables`, both of which outlive it.
  Plan(Program program, Variables& variables, Workers& workers, bool use_strips = true);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  /// Runs with the values of the feeds it was made for, in their order.
  void run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder = nullptr);
  /// Fetch number i of the last run. Its memory is used again once the caller has dropped it.
  Tensor result(std::size_t i);

  std::int64_t arena_bytes() const { return memory_.arena_bytes; }
  /// The steps in order, a line each: what is computed, its type, where it lies.
  std::string explain() const;
  /// The nodes that are computed, in their order.
  std::vector<int> order() const;
  /// "matmul_1 = matmul(X, transpose_1)", and "float32 [7, 5]  call  at 64  (main.cpp:11)".
  std::string formula_of(int node) const;
  std::string details_of(int node) const;

 private:
  struct Step {
    int node;
    bool view = false;               // only follows the value it shows, which moves from run to run
    bool plain = false;              // a small elementwise step
    std::optional<Loop> loop;        // an elementwise step; otherwise the op computes
    std::unique_ptr<Region> region;  // several nodes, strip by strip
    std::vector<const Value*> inputs;
    Growing growing;  // memory of a sparse result
    std::uint64_t stream = 0;
  };

  Value& value(int node) { return values_[static_cast<std::size_t>(node)]; }
  const ProgramNode& node(int node) const { return program_.nodes[static_cast<std::size_t>(node)]; }
  bool lies_still(int node) const;
  bool exists(int root) const;
  void place_values();
  void add_step(int node);
  void add_region(const Group& group);
  /// By node: the views of it that must be set anew in every run, because it moves.
  std::vector<std::vector<int>> moving_views() const;
  void bind(std::span<const Tensor* const> feeds);
  void keep_results();
  void let_go();
  void update_variables();

  Program program_;
  Variables& variables_;
  Workers& workers_;
  Schedule schedule_;
  MemoryPlan memory_;
  Buffer arena_;
  Buffer scratch_;
  std::vector<Value> values_;   // by node
  std::vector<Value*> sparse_;  // the feeds' and the steps' values with a pattern or an index
  std::vector<Step> steps_;
  std::vector<Tensor> results_;  // by fetch
  std::vector<Buffer> staged_;   // by memory_.copied: a variable's old value on its way to another
};

}  // namespace gradus
