// Owned, 64-byte aligned memory. Everything that holds numbers holds them in one of these.
#pragma once

#include <cstddef>
#include <utility>

namespace gradus {

class Buffer {
 public:
  static constexpr std::size_t alignment = 64;  // one cache line, one AVX-512 register

  Buffer() = default;
  /// Memory that is not initialised. Throws DeviceError, naming the bytes, when there is none.
  explicit Buffer(std::size_t bytes);
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Buffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

  /// Makes room for at least `bytes`; what was in it is lost when it grows.
  void reserve(std::size_t bytes);

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace gradus
