// A plan on the CPU: steps one after the other, elementwise ones by their row kernels, regions tile by tile. After
// its first run it allocates nothing, unless a run makes more non-zeros than any before it.
#pragma once

#include <gradus/core/kernel/loop.h>
#include <gradus/core/run/plan.h>
#include <gradus/core/run/region.h>
#include <gradus/core/run/working_memory.h>

#include <memory>
#include <optional>

namespace gradus {

/// Passes that plans on the CPU may leave out.
struct CpuPasses {
  bool tiles = true;
  bool compile = true;
};

class CpuPlan final : public Plan {
 public:
  /// The plan computes with `workers` on `variables`, in `working`; all of them outlive it.
  CpuPlan(Program program, Variables& variables, Workers& workers, WorkingMemory& working,
          const CpuPasses& passes = {});

  void run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder) override;
  PlanSteps steps(Graph& graph) const override;

 private:
  struct SmallKernel;
  struct Step {
    int node = 0;
    bool view = false;                    // only follows the value it shows, which moves from run to run
    bool plain = false;                   // a small elementwise step
    bool writes = false;                  // into a variable
    std::optional<Loop> loop = {};        // an elementwise step; otherwise the op computes
    std::unique_ptr<Region> region = {};  // several nodes, tile by tile
    std::vector<const Value*> inputs = {};
    std::optional<Call> call = {};            // what the op or the loop is given, in every run
    std::unique_ptr<SmallKernel> small = {};  // several small steps that are one kernel
  };
  // While the kernel has no function, the steps do the work.
  struct SmallKernel {
    PlanKernel kernel;
    std::int64_t elements;
    std::int64_t inner;  // Kernel::inner()
    std::vector<const Value*> reads = {};
    std::vector<const Value*> writes = {};
    std::vector<const void*> in = {};
    std::vector<void*> out = {};
    std::vector<std::size_t> moving = {};  // numbers of reads that lie elsewhere in each run
    std::vector<Step> steps = {};
  };

  Step step_of(int node);
  void add_small_kernel(const Group& group);
  void add_region(const Group& group);
  void bind(std::span<const Tensor* const> feeds);
  void run_step(Step& step, std::uint64_t run_number);
  static void place(SmallKernel& small);
  static void run_small_kernel(SmallKernel& small, CompiledKernel::Function function);
  void keep_results();
  void update_variables();

  Workers& workers_;
  WorkingMemory& working_;
  const std::byte* arena_ = nullptr;  // where the values lie that the plan has placed
  std::size_t growing_ = 0;           // values whose size only a run knows
  std::vector<Step> steps_;
  std::vector<Region*> writing_regions_;  // those of them that write into variables
  std::vector<Buffer> staged_;            // by memory_.copied: a variable's old value on its way to another
};

}  // namespace gradus
