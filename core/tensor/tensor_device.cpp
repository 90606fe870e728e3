// Tensors moved between the host and devices.
#include <gradus/core/device/accelerator.h>
#include <gradus/core/device/device.h>
#include <gradus/core/tensor/tensor.h>

namespace gradus {

Tensor Tensor::to(const Device& device) const {
  if (accelerator_ == nullptr ? device.is_cpu() : accelerator_->name() == device.name()) return *this;
  const std::int64_t bytes = stored_ * static_cast<std::int64_t>(size_of(type_.dtype));
  Tensor out = *this;
  if (accelerator_ != nullptr) {
    out.storage_ = uninitialized({type_.dtype, {stored_}, Layout::dense}).storage_;
    out.accelerator_ = nullptr;
    // Memory that came from an accelerator is read through it; what is read does not change.
    if (bytes > 0) const_cast<Accelerator*>(accelerator_)->download(out.storage_.get(), storage_.get(), bytes);
    return out.to(device);
  }
  // A stream of its own: whoever drops the tensor last, on whatever thread, uses no other's.
  struct Held {
    std::shared_ptr<Accelerator> accelerator;
    DeviceMemory memory;
  };
  auto held = std::make_shared<Held>();
  held->accelerator = device.open();
  held->memory = DeviceMemory(held->accelerator, bytes);
  if (bytes > 0) held->accelerator->upload(held->memory.data(), storage_.get(), bytes);
  held->accelerator->wait();  // other streams may read it from now on
  out.accelerator_ = held->accelerator.get();
  out.storage_ = {held, held->memory.data()};
  return out;
}

}  // namespace gradus
