// A step of a device's plan that is one kernel made of formulas: elementwise nodes over one space with the folds that
// end them (core/kernel/kernel.h). Its results lie where the plan puts them; sparse ones grow here.
#pragma once

#include <gradus/core/device/device_call.h>
#include <gradus/core/kernel/gpu_text.h>
#include <gradus/core/plan/memory.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

class DeviceLoop {
 public:
  /// `values`, by node, stay where they are.
  DeviceLoop(const Program& program, std::span<const int> nodes, const MemoryPlan& memory, std::vector<Value>& values);

  void run(const std::shared_ptr<Accelerator>& accelerator, DeviceIndices& indices);

  const std::string& name() const { return name_; }
  /// The kernel, which settings need not be given for.
  KernelText kernel() const { return {name_, text_.text}; }
  const std::vector<int>& nodes() const { return nodes_; }

 private:
  // A fold in pieces, and the kernel that folds these.
  struct Pieces {
    const Kernel::Fold* fold;
    std::string settings;
    DeviceMemory parts;
  };
  struct Grown {
    int node;
    DeviceMemory numbers;
  };
  // Operands with different non-zeros or rows, and what both have: made anew only for others.
  struct Union {
    std::array<std::shared_ptr<const void>, 2> of;  // their patterns or indices
    std::shared_ptr<const CsrPattern> pattern;
    std::shared_ptr<const RowIndex> index;
    std::array<DeviceMemory, 2> places;  // of their numbers among those of both
  };

  bool prepare_sparse();
  void unite_operands();
  void set_sparse_result(Grown& grown);
  void collect_pointers(DeviceIndices& indices, bool united);
  void launch(Grid grid, std::span<const std::int64_t> numbers);
  void run_elements();
  void run_folds();
  Value& value(int node) { return values_[static_cast<std::size_t>(node)]; }

  const Program& program_;
  std::vector<Value>& values_;
  std::vector<int> nodes_;
  Kernel kernel_;
  std::string name_;
  GpuText text_;
  std::vector<Grown> grown_;
  std::vector<Pieces> pieces_;
  std::vector<const void*> pointers_;      // by argument of the text
  std::vector<KernelArgument> arguments_;  // of the launch at hand
  std::vector<DeviceMemory> united_;       // by argument: an operand brought to the result's non-zeros
  Union union_;
  std::shared_ptr<Accelerator> accelerator_;
  std::shared_ptr<const CsrPattern> pattern_;  // of the run
  std::shared_ptr<const RowIndex> index_;
  const Accelerator::Kernel* compiled_ = nullptr;
};

}  // namespace gradus
