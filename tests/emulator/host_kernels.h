// Kernels' text compiled by the host's compiler, run over a grid on the host: one block at a time, its threads one
// after another, or as fibers where the text makes them wait for one another. Compiled kernels are kept on disk, in
// GRADUS_EMULATOR_CACHE, under the hash of all that went into them.
#pragma once

#include <gradus/core/device/accelerator.h>

#include <functional>
#include <string>
#include <vector>

namespace gradus::emulator {

class HostKernel {
 public:
  /// Throws DeviceError with the kernel's name and the compiler's lines.
  explicit HostKernel(const KernelText& kernel);

  using PointerCheck = std::function<void(int argument, const void* pointer)>;
  /// `check` is called for each argument that is a pointer. Throws DeviceError for a grid that CUDA would refuse, and
  /// where threads would wait for ever.
  void launch(const Grid& grid, std::span<void* const> arguments, const PointerCheck& check) const;
  const std::string& name() const { return name_; }
  /// The bytes of each argument.
  const std::vector<std::size_t>& arguments() const { return arguments_; }

 private:
  std::string name_;
  std::vector<std::size_t> arguments_;
  void (*entry_)(void* launch, void* const* arguments) = nullptr;
};

}  // namespace gradus::emulator
