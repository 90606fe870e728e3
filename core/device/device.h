// Where a session computes: the CPU, or an accelerator. No header of CUDA is needed to use one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace gradus {

class Accelerator;

struct CudaOptions {
  bool tf32 = false;  // whether products of float32 matrices may round to 10 bits of mantissa, for speed
};

class Device {
 public:
  static Device cpu() { return {}; }
  /// An NVIDIA GPU. Throws DeviceError, saying which it is, where the library was built without CUDA, there is no
  /// driver, no device or none of this index, or the device is too old for the toolkit.
  static Device cuda(int index = 0, const CudaOptions& options = {});
  /// "cpu", "cuda" or "cuda:1". Throws ValueError for another text, and what cuda() throws.
  static Device named(std::string_view name);
  /// A device that `open` makes streams of, for tests and for other hardware.
  static Device other(std::string name, std::function<std::shared_ptr<Accelerator>()> open);

  /// "cpu", "cuda:0 (NVIDIA H100 80GB HBM3)".
  const std::string& name() const { return name_; }
  bool is_cpu() const { return !open_; }
  /// A stream of work on it; not of the CPU.
  std::shared_ptr<Accelerator> open() const { return open_(); }

 private:
  Device() = default;

  std::string name_ = "cpu";
  std::function<std::shared_ptr<Accelerator>()> open_;
};

}  // namespace gradus
