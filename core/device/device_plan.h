// A plan on an accelerator: kernels made of the formulas of elementwise nodes (device_loop.h), and what the other ops
// launch. A run gives work to the device and waits only for what is fetched. From the second run with the same feeds on
// the work is one recording, replayed. Variables, intermediate results and constants lie in the device's memory.
#pragma once

#include <gradus/core/device/device_loop.h>
#include <gradus/core/device/device_state.h>
#include <gradus/core/device/host_step.h>
#include <gradus/core/plan.h>

#include <memory>

namespace gradus {

class DevicePlan final : public Plan {
 public:
  /// The plan runs on `variables` and `state`, which outlive it. `fuse`: whether several nodes may be one kernel;
  /// `record`: whether runs may be recorded.
  DevicePlan(Program program, Variables& variables, DeviceState& state, bool fuse = true, bool record = true);
  ~DevicePlan() override;

  void run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder) override;
  std::string explain() const override;
  std::vector<int> order() const override;
  std::string formula_of(int node) const override;

 private:
  struct Step {
    int node;
    bool view = false;                 // only follows the value it shows, which moves from run to run
    std::unique_ptr<DeviceLoop> loop;  // a kernel of formulas
    std::unique_ptr<HostStep> on_host;
    std::vector<const Value*> inputs;
    DeviceGrowing growing;  // where the op launches
    std::uint64_t stream = 0;
  };
  // What a recording depends on, besides what lies still.
  struct Fed {
    const std::byte* data;
    std::shared_ptr<const CsrPattern> pattern;
    std::shared_ptr<const RowIndex> index;
    bool operator==(const Fed&) const = default;
  };

  const std::byte* upload_constant(const Tensor& constant);
  void bind(std::span<const Tensor* const> feeds);
  void run_steps(std::uint64_t run_number, Recorder* recorder);
  void run_step(Step& step, std::uint64_t run_number);
  bool record(std::uint64_t run_number);
  void keep_results();
  void update_variables();
  std::int64_t dense_bytes(const Step& step) const;

  DeviceState& state_;
  std::shared_ptr<Accelerator> accelerator_;
  DeviceMemory arena_;
  std::vector<DeviceMemory> constants_;
  std::vector<Step> steps_;
  std::vector<DeviceMemory> staged_;  // by memory_.copied: a variable's old value on its way to another
  std::vector<Fed> fed_;              // of the last run
  std::vector<Fed> feeding_;          // of this one
  bool ran_ = false;                  // whether there was a last run, that ended well
  std::string why_not_;               // why no run can be recorded; empty: any may be
  std::unique_ptr<Accelerator::Recording> recording_;  // of runs with fed_
  std::vector<Value> recorded_;                        // by fetch: what the steps recorded made it
};

}  // namespace gradus
