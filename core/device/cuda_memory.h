// Memory of a GPU for one stream of work. What is released is kept by size class and given again: the stream does its
// work in order, so whatever still reads it comes before whatever writes it next. Only when the GPU has no more is what
// is kept given back to it.
#pragma once

#include <gradus/core/device/cuda_check.h>

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace gradus {

class CudaMemory {
 public:
  /// `device` is for messages.
  CudaMemory(std::string device, cudaStream_t stream) : device_(std::move(device)), stream_(stream) {}
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;
  ~CudaMemory();

  std::byte* allocate(std::int64_t bytes);
  void release(std::byte* memory) noexcept;
  std::int64_t in_use() const { return in_use_; }

 private:
  void give_back_kept();

  std::string device_;
  cudaStream_t stream_;
  std::map<std::int64_t, std::vector<std::byte*>> kept_;  // by size class
  std::unordered_map<std::byte*, std::int64_t> given_;    // the bytes asked for
  std::int64_t in_use_ = 0;
};

/// Memory for the work at hand, which grows. Recordings hold its address: what became too small stays until the end.
class CudaWorkspace {
 public:
  explicit CudaWorkspace(CudaMemory& memory) : memory_(memory) {}
  CudaWorkspace(const CudaWorkspace&) = delete;
  CudaWorkspace& operator=(const CudaWorkspace&) = delete;
  ~CudaWorkspace();

  /// At least so many bytes. Throws DeviceError where more are needed while work is recorded.
  std::byte* reserve(std::int64_t bytes, bool recording);
  /// Bytes of all blocks.
  std::int64_t held() const { return held_; }

 private:
  CudaMemory& memory_;
  std::vector<std::byte*> blocks_;  // the last is used
  std::int64_t bytes_ = 0;          // of the last
  std::int64_t held_ = 0;
};

/// Two blocks of the host's memory that the GPU reads and writes by itself, used in turn.
class CudaStaging {
 public:
  explicit CudaStaging(cudaStream_t stream) : stream_(stream) {}

  void upload(std::byte* to, const std::byte* from, std::int64_t bytes);
  void download(std::byte* to, const std::byte* from, std::int64_t bytes);

 private:
  static constexpr std::int64_t block_bytes = 4 << 20;
  struct Block {
    CudaHostMemory memory;
    CudaEvent done;  // when the GPU has used it
  };
  Block& next();

  cudaStream_t stream_;
  std::array<Block, 2> blocks_;
  std::size_t turn_ = 0;
};

}  // namespace gradus
