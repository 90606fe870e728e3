// A step of a device's plan that the host computes: an elementwise node whose op has no formula for an accelerator, as
// the divisions of integers, which must be able to throw, or one of an op that says so (Op::runs_on_host). Its operands
// come from the device and its result goes there.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/kernel/loop.h>

#include <optional>
#include <vector>

namespace gradus {

class HostStep {
 public:
  /// `inputs` and `output`, whose data are the device's, stay where they are.
  HostStep(const Expr& node, std::vector<const Value*> inputs, Value& output);

  void run(const std::shared_ptr<Accelerator>& accelerator);

 private:
  Expr node_;
  std::vector<const Value*> inputs_;
  Value& output_;
  std::vector<Value> here_;  // the operands on the host
  std::vector<const Value*> operands_;
  std::vector<Buffer> numbers_;
  Value result_;
  Buffer result_numbers_;
  std::optional<Loop> loop_;  // of an elementwise node
  Workers workers_{1};
  Buffer scratch_;
  Growing growing_;
  DeviceMemory grown_;  // of a sparse result
};

}  // namespace gradus
