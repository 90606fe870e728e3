#include <gradus/core/buffer.h>

#include <gradus/core/error.h>

#include <cstdlib>

namespace gradus {

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  data_ = static_cast<std::byte*>(rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded));
  if (data_ == nullptr) fail<DeviceError>("out of memory: {} bytes were asked for", bytes);
}

Buffer::~Buffer() { std::free(data_); }

void Buffer::reserve(std::size_t bytes) {
  // A half more than asked: a size that creeps up from run to run settles after a few.
  if (bytes > bytes_) *this = Buffer(bytes_ == 0 ? bytes : bytes + bytes / 2);
}

}  // namespace gradus
