// The accelerator of an NVIDIA GPU: a stream, its memory, kernels compiled for the GPU at hand, cuBLAS and cuSPARSE,
// and CUDA graphs for what is recorded.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/device/cuda_memory.h>
#include <gradus/core/device/cuda_products.h>

#include <string>
#include <unordered_map>

namespace gradus {

class CudaAccelerator final : public Accelerator {
 public:
  /// `name` is the device's; `capability` is 90 for 9.0.
  CudaAccelerator(int index, std::string name, int capability, bool tf32);
  ~CudaAccelerator() override;

  std::string name() const override { return name_; }
  std::byte* allocate(std::int64_t bytes) override;
  void release(std::byte* memory) noexcept override;
  std::int64_t memory_in_use() const override { return memory_.in_use() - products_.held() - row_start_.held(); }
  void upload(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void download(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes) override;
  void set_zero(std::byte* to, std::int64_t bytes) override;
  void wait() override;
  const Kernel& compile(const KernelText& kernel) override;
  KernelText text_of(const Kernel& kernel) const override;
  void launch(const Kernel& kernel, const Grid& grid, std::span<const KernelArgument> arguments) override;
  void gemm(const GemmWork& work) override;
  void spmm(const SpmmWork& work) override;
  void begin_recording() override;
  std::unique_ptr<Recording> end_recording() override;
  void replay(Recording& recording) override;
  std::unique_ptr<Mark> mark() override;
  double seconds_between(const Mark& from, const Mark& to) override;

 private:
  struct Compiled;
  // Each thread has a current GPU of its own.
  void activate() const { check(cudaSetDevice(index_), "cudaSetDevice"); }
  void refuse_in_recording(const char* what) const;
  static cudaStream_t new_stream(int index);
  const std::int32_t* narrow_row_start(const SpmmWork& work);

  int index_;
  std::string name_;
  int capability_;
  CudaStream stream_;
  CudaMemory memory_;
  CudaStaging staging_;
  CudaProducts products_;
  std::unordered_multimap<std::size_t, std::unique_ptr<Compiled>> kernels_;  // by the hash of name and settings
  CudaWorkspace row_start_;       // of the product at hand, as 32-bit numbers
  std::vector<void*> arguments_;  // of the launch at hand
  bool recording_ = false;
};

}  // namespace gradus
