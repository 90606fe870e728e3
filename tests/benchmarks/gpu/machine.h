// What a device can do at most, measured on it: the floors of the steps that are timed beside them. And how steps are
// timed: whole bursts of them, given one after the other as in training, with one wait at the end.
#pragma once

#include "../measure.h"

#include <gradus/core/device/accelerator.h>
#include <gradus/core/device/device.h>

#include <memory>
#include <string>

namespace bench {

/// A device whose last stream can be looked at: that of the session that was made last.
class WatchedDevice {
 public:
  explicit WatchedDevice(const gradus::Device& device);

  const gradus::Device& device() const { return device_; }
  /// Null: the CPU.
  gradus::Accelerator* stream() const { return last_->get(); }

 private:
  std::shared_ptr<std::shared_ptr<gradus::Accelerator>> last_;
  gradus::Device device_;
};

/// Seconds a step, each the median of the rounds.
struct StepTime {
  double device = 0;  // by the device's clock, from before the first step to after the last; of the CPU, as host
  double host = 0;    // by the host's clock, until all is done
  double given = 0;   // until the last step is given: the host's share
};
StepTime time_steps(const Steps& steps, gradus::Accelerator* stream, const Effort& effort);

struct Machine {
  std::string name;
  double copy = 0;        // bytes a second, read and written, of a copy in the device's memory
  double read = 0;        // of a kernel that only reads
  double upload = 0;      // from the host's memory to the device's, as feeds go
  double launch = 0;      // seconds a kernel of one thread, of many given one after the other
  double replay = 0;      // the same of recordings of one such kernel
  double round_trip = 0;  // launching one and waiting for it
};
/// Copies and reads so many bytes. The CPU has a copy alone, which stands for reading as well.
Machine measure_machine(const gradus::Device& device, std::int64_t bytes, const Effort& effort);

}  // namespace bench
