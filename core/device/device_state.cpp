#include <gradus/core/device/device_state.h>

#include <algorithm>

namespace gradus {

DeviceFeeds::~DeviceFeeds() {
  for (const Fed& fed : fed_) release(fed);
}

// What another stream made may be dropped only when this one has read it.
void DeviceFeeds::release(const Fed& fed) {
  if (fed.tensor.accelerator() == nullptr) return;
  try {
    accelerator_->wait();
  } catch (const DeviceError&) {
    return;  // nothing is read any more
  }
}

DeviceFeeds::Place DeviceFeeds::of(const Tensor& tensor) {
  const auto bytes = tensor.stored() * static_cast<std::int64_t>(size_of(tensor.dtype()));
  const bool there = tensor.accelerator() != nullptr;
  if (there && tensor.accelerator()->name() != accelerator_->name())
    fail<DeviceError>("run: a tensor {} on {} is fed to a session on {}; feed its to(Device::cpu())", tensor.type(),
                      tensor.accelerator()->name(), accelerator_->name());
  fed_.remove_if([](const Fed& fed) { return fed.data != nullptr && fed.storage.expired(); });
  const auto found = std::find_if(fed_.begin(), fed_.end(), [&](const Fed& fed) {
    return fed.data == tensor.device_data() && (there || fed.memory.bytes() == bytes) &&
           fed.tensor.accelerator() == tensor.accelerator();
  });
  if (found != fed_.end()) {
    fed_.splice(fed_.begin(), fed_, found);
  } else {
    DeviceMemory memory;
    if (!there && bytes > 0) {
      memory = DeviceMemory(accelerator_, bytes);
      accelerator_->upload(memory.data(), tensor.data(), bytes);
    }
    if (fed_.size() == kept) {
      release(fed_.back());
      fed_.pop_back();
    }
    fed_.push_front({tensor.device_data(), tensor.watched(), std::move(memory), there ? tensor : Tensor(), ++count_});
  }
  // Only ever read.
  return {there ? const_cast<std::byte*>(tensor.device_data()) : fed_.front().memory.data(), fed_.front().number};
}

}  // namespace gradus
