// Where a session computes.
#pragma once

#include <string>

namespace gradus {

class Device {
 public:
  static Device cpu() { return {}; }
  /// Throws DeviceError: this build computes on the CPU only.
  static Device cuda(int index = 0);

  std::string name() const { return "cpu"; }

 private:
  Device() = default;
};

}  // namespace gradus
