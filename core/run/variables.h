// The values of a session's variables, in the memory of its device. A matrix may be stored transposed: where its users
// want it so, a plan would else turn it round at every run (see store_transposed.cpp). From outside a value is always
// as it was declared.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/graph/graph.h>
#include <gradus/core/tensor/buffer.h>
#include <gradus/core/tensor/tensor.h>

#include <vector>

namespace gradus {

/// All by VariableOp::number(), which is what the functions need of a variable.
struct Variables {
  std::shared_ptr<Accelerator> accelerator = nullptr;  // null: the CPU
  std::vector<Buffer> memory = {};                     // on the CPU
  std::vector<DeviceMemory> device_memory = {};        // on an accelerator
  std::vector<bool> set = {};                          // whether it has a value yet
  std::vector<bool> transposed = {};                   // whether it is stored so
  bool are_places_only = false;  // none gets a value, nor memory: for a plan that is explained and not run

  /// Makes room for a variable of this number.
  void ensure_capacity(std::size_t number);
  /// Gives the variable its initial value if it has none.
  void initialize(const Expr& variable);
  /// Gives it the value that it starts from, whatever it has.
  void start(const Expr& variable);
  /// Replaces its value; the type must be the variable's.
  void write(const Expr& variable, const Tensor& value);
  /// Where its value lies, once it has one.
  std::byte* data(const Expr& variable) const;
  /// A copy of its value, on the host.
  Tensor read(const Expr& variable);
  /// Stores it the other way from now on: plans made before do not fit any more.
  void turn(const Expr& variable);
};

}  // namespace gradus
