// What the plans of a session on a device share: its stream of work, the indices that the device holds, and the tensors
// that were fed. Internal to core.
#pragma once

#include <gradus/core/device/device.h>
#include <gradus/core/device/device_call.h>

#include <list>
#include <memory>

namespace gradus {

/// Tensors of the host in a device's memory, the last few that were fed, for as long as somebody has them: feeding one
/// again does not upload it again.
class DeviceFeeds {
 public:
  explicit DeviceFeeds(std::shared_ptr<Accelerator> accelerator) : accelerator_(std::move(accelerator)) {}
  DeviceFeeds(const DeviceFeeds&) = delete;
  DeviceFeeds& operator=(const DeviceFeeds&) = delete;
  ~DeviceFeeds();

  struct Place {
    std::byte* data;
    std::uint64_t number;  // the same number, the same tensor
    bool operator==(const Place&) const = default;
  };
  /// Where the tensor's numbers lie on the device. Throws DeviceError for a tensor on another one.
  Place of(const Tensor& tensor);

 private:
  struct Fed {
    const std::byte* data;
    std::weak_ptr<const void> storage;  // of the host's tensor; once it is gone, others may lie where it lay
    DeviceMemory memory;                // a copy of it;
    Tensor tensor;                      // or one on the device, which is kept until it has been read
    std::uint64_t number;
  };
  static constexpr std::size_t kept = 16;

  void release(const Fed& fed);

  std::shared_ptr<Accelerator> accelerator_;
  std::list<Fed> fed_;       // the latest first
  std::uint64_t count_ = 0;  // of tensors met so far
};

struct DeviceState {
  explicit DeviceState(std::shared_ptr<Accelerator> of)
      : accelerator(std::move(of)), indices(accelerator), feeds(accelerator) {}

  std::shared_ptr<Accelerator> accelerator;
  DeviceIndices indices;
  DeviceFeeds feeds;
  DeviceMemory scratch;  // of the step at hand; it moves when one needs more
};

}  // namespace gradus
