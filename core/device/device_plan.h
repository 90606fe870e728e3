// A plan on an accelerator: kernels made of the formulas of elementwise nodes (device_loop.h), and what the other ops
// launch. A run gives work to the device and waits only for what is fetched. Variables, intermediate results and
// constants lie in the device's memory.
//
// From the second run with the same feeds on the work is one recording, replayed. It holds the addresses of what it
// reads, so with other feeds it is dropped; but where all values are dense and the feeds small, others are copied to
// where the recording reads them (a recorded launch could be given other addresses instead, but to find them all work
// has to be gone through, which costs what launching it does). What cannot be recorded is launched in every run:
//   - random numbers, which depend on the run's number;
//   - what the host computes (integer division, the solution of a matrix), or decides (the rows of a scatter_add, the
//     non-zeros of a to_csr, the indices of a gather) of numbers that depend on variables or on chance: it must wait
//     for them in every run. What follows from the feeds alone it has decided in the run before the recording.
#pragma once

#include <gradus/core/device/device_loop.h>
#include <gradus/core/device/device_state.h>
#include <gradus/core/device/host_step.h>
#include <gradus/core/run/plan.h>

#include <memory>

namespace gradus {

class DevicePlan final : public Plan {
 public:
  /// The plan runs on `variables` and `state`, which outlive it. `fuse`: whether several nodes may be one kernel;
  /// `record`: whether runs may be recorded.
  DevicePlan(Program program, Variables& variables, DeviceState& state, bool fuse = true, bool record = true);
  ~DevicePlan() override;

  void run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder) override;
  PlanSteps steps(Graph& graph) const override;

 private:
  struct Step {
    int node;
    bool view = false;                 // only follows the value it shows, which moves from run to run
    std::unique_ptr<DeviceLoop> loop;  // a kernel of formulas
    std::unique_ptr<HostStep> on_host;
    std::vector<const Value*> inputs;
    std::vector<KnownNumbers> known;  // of the inputs, where the op launches
    DeviceGrowing growing;            // likewise
    std::uint64_t stream = 0;
  };
  // What a recording depends on, besides what lies still.
  struct Fed {
    DeviceFeeds::Place place;
    std::shared_ptr<const CsrPattern> pattern;
    std::shared_ptr<const RowIndex> index;
    bool operator==(const Fed&) const = default;
  };

  const std::byte* upload_constant(const Tensor& constant);
  void find_known_numbers();
  bool may_stage() const;
  void stage(bool stand);
  void bind(std::span<const Tensor* const> feeds);
  // On the accelerator, or on what takes its work to be recorded.
  void run_steps(const std::shared_ptr<Accelerator>& accelerator, std::uint64_t run_number, Recorder* recorder);
  void run_step(const std::shared_ptr<Accelerator>& accelerator, Step& step, std::uint64_t run_number);
  void update_variables(const std::shared_ptr<Accelerator>& accelerator);
  bool record(std::uint64_t run_number);
  void keep_results();

  DeviceState& state_;
  std::shared_ptr<Accelerator> accelerator_;
  DeviceMemory arena_;
  std::vector<DeviceMemory> constants_;
  std::vector<Step> steps_;
  std::vector<DeviceMemory> staged_;    // by memory_.copied: a variable's old value on its way to another
  std::vector<Fed> fed_;                // of the last run
  std::vector<Fed> feeding_;            // of this one
  bool ran_ = false;                    // whether there was a last run, that ended well
  bool same_ = false;                   // whether this run's feeds are the last one's
  std::vector<const std::byte*> here_;  // by node: the numbers of a constant or a placeholder, where the host has them
  std::vector<bool> of_feeds_;          // by node: whether its numbers follow from feeds and constants
  bool dense_ = true;                   // whether all values are
  bool looked_at_numbers_ = false;      // whether any of the feeds decided what was launched
  std::vector<DeviceMemory> feed_copies_;  // where a recording reads other feeds; empty: it reads them where they lie
  std::string why_not_;                    // why no run can be recorded; empty: any may be
  std::unique_ptr<Accelerator::Recording> recording_;  // of runs with fed_, or with copies of feeds
  const std::byte* recorded_scratch_ = nullptr;        // the memory that it works in
  std::vector<Value> recorded_;                        // by fetch: what the steps recorded made it
};

}  // namespace gradus
