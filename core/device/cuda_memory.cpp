#include <gradus/core/device/cuda_memory.h>

#include <gradus/core/device/cuda_refusals.h>
#include <gradus/core/device/size_classes.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <cstring>

namespace gradus {

CudaMemory::~CudaMemory() {
  cudaStreamSynchronize(stream_);
  for (const auto& [size, blocks] : kept_)
    for (std::byte* block : blocks) cudaFree(block);
  for (const auto& [block, size] : given_) cudaFree(block);
}

std::byte* CudaMemory::allocate(std::int64_t bytes) {
  if (bytes == 0) return nullptr;
  const std::int64_t size = size_class(bytes);
  std::vector<std::byte*>& kept = kept_[size];
  void* memory = nullptr;
  if (!kept.empty()) {
    memory = kept.back();
    kept.pop_back();
  } else {
    cudaError_t status = cudaMalloc(&memory, static_cast<std::size_t>(size));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      give_back_kept();
      status = cudaMalloc(&memory, static_cast<std::size_t>(size));
    }
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      std::size_t free = 0, total = 0;
      check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
      throw DeviceError(
          out_of_device_memory(device_, bytes, static_cast<std::int64_t>(free), static_cast<std::int64_t>(total)));
    }
    check(status, "cudaMalloc", size);
  }
  auto* const given = static_cast<std::byte*>(memory);
  given_[given] = bytes;
  in_use_ += bytes;
  return given;
}

void CudaMemory::release(std::byte* memory) noexcept {
  const auto found = given_.find(memory);
  if (found == given_.end()) return;
  in_use_ -= found->second;
  kept_[size_class(found->second)].push_back(memory);
  given_.erase(found);
}

void CudaMemory::give_back_kept() {
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  for (auto& [size, blocks] : kept_) {
    for (std::byte* block : blocks) check(cudaFree(block), "cudaFree", size);
    blocks.clear();
  }
}

CudaWorkspace::~CudaWorkspace() {
  for (std::byte* block : blocks_) memory_.release(block);
}

std::byte* CudaWorkspace::reserve(std::int64_t bytes, bool recording) {
  if (bytes > bytes_) {
    if (recording) fail<DeviceError>("memory to work in cannot be recorded");
    bytes = std::max(bytes, 2 * bytes_);  // all that stay are no more than the last
    blocks_.push_back(memory_.allocate(bytes));
    bytes_ = bytes;
    held_ += bytes;
  }
  return blocks_.empty() ? nullptr : blocks_.back();
}

CudaStaging::Block& CudaStaging::next() {
  Block& block = blocks_[turn_];
  turn_ = 1 - turn_;
  if (!block.memory) check(cudaMallocHost(block.memory.put(), block_bytes), "cudaMallocHost", block_bytes);
  if (!block.done) check(cudaEventCreateWithFlags(block.done.put(), cudaEventDisableTiming), "cudaEventCreate");
  check(cudaEventSynchronize(block.done.get()), "cudaEventSynchronize");
  return block;
}

void CudaStaging::upload(std::byte* to, const std::byte* from, std::int64_t bytes) {
  for (std::int64_t done = 0; done < bytes; done += block_bytes) {
    const std::int64_t part = std::min(block_bytes, bytes - done);
    Block& block = next();
    std::memcpy(block.memory.get(), from + done, static_cast<std::size_t>(part));
    check(
        cudaMemcpyAsync(to + done, block.memory.get(), static_cast<std::size_t>(part), cudaMemcpyHostToDevice, stream_),
        "cudaMemcpyAsync", part);
    check(cudaEventRecord(block.done.get(), stream_), "cudaEventRecord");
  }
}

// While one block is copied out, the GPU fills the other.
void CudaStaging::download(std::byte* to, const std::byte* from, std::int64_t bytes) {
  Block* filled = nullptr;
  std::int64_t filled_at = 0, filled_bytes = 0;
  const auto take = [&] {
    if (filled == nullptr) return;
    check(cudaEventSynchronize(filled->done.get()), "cudaEventSynchronize");
    std::memcpy(to + filled_at, filled->memory.get(), static_cast<std::size_t>(filled_bytes));
  };
  for (std::int64_t done = 0; done < bytes; done += block_bytes) {
    const std::int64_t part = std::min(block_bytes, bytes - done);
    Block& block = next();
    check(cudaMemcpyAsync(block.memory.get(), from + done, static_cast<std::size_t>(part), cudaMemcpyDeviceToHost,
                          stream_),
          "cudaMemcpyAsync", part);
    check(cudaEventRecord(block.done.get(), stream_), "cudaEventRecord");
    take();
    filled = &block;
    filled_at = done;
    filled_bytes = part;
  }
  take();
}

}  // namespace gradus
