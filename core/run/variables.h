// The values of a session's variables, in the memory of its device. A matrix may be stored transposed: where its users
// want it so, a plan would else turn it round at every run (see store_transposed.cpp). From outside a value is always
// as it was declared. Of a table that ranks share out (row_owners.h) each has its own rows, and read() gives these.
#pragma once

#include <gradus/core/cluster/row_owners.h>
#include <gradus/core/device/accelerator.h>
#include <gradus/core/graph/graph.h>
#include <gradus/core/tensor/buffer.h>
#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace gradus {

/// All by VariableOp::number(), which is what the functions need of a variable.
struct Variables {
  std::shared_ptr<Accelerator> accelerator = nullptr;  // null: the CPU
  std::vector<Buffer> memory = {};                     // on the CPU
  std::vector<DeviceMemory> device_memory = {};        // on an accelerator
  std::vector<bool> set = {};                          // whether it has a value yet
  std::vector<bool> transposed = {};                   // whether it is stored so
  std::vector<bool> shared_out = {};                   // whether it is, beside those that are too large
  RowOwners owners = {};
  std::int64_t shard_above = std::numeric_limits<std::int64_t>::max();  // bytes: what is larger is shared out
  bool are_places_only = false;  // none gets a value, nor memory: for a plan that is explained and not run

  /// Makes room for a variable of this number.
  void ensure_capacity(std::size_t number);
  /// Whether ranks share out its rows.
  bool is_shared_out(const Expr& variable) const;
  /// Shares it out from now on: of a value that it has, the own rows stay. Plans made before do not fit any more.
  void share_out(const Expr& variable);
  /// The type of what is here of it.
  Type type_here(const Expr& variable) const;
  /// Of a value of all rows, what is here.
  Tensor rows_here(const Expr& variable, const Tensor& value) const;
  /// Gives the variable its initial value if it has none.
  void initialize(const Expr& variable);
  /// Gives it the value that it starts from, whatever it has.
  void start(const Expr& variable);
  /// Replaces its value; the type must be that of what is here.
  void write(const Expr& variable, const Tensor& value);
  /// Where its value lies, once it has one.
  std::byte* data(const Expr& variable) const;
  /// A copy of what is here of its value, on the host.
  Tensor read(const Expr& variable);
  /// Stores it the other way from now on: plans made before do not fit any more.
  void turn(const Expr& variable);

 private:
  void start_rows(const Expr& variable);
};

}  // namespace gradus
