// Every call of CUDA goes through check(), which throws DeviceError with the call, what CUDA says, its code and, where
// one is given, the number of bytes. Only files named cuda_* include this.
#pragma once

#include <gradus/core/device/cuda_libraries.h>

#include <cstdint>

namespace gradus {

void check(cudaError_t status, const char* call, std::int64_t size = -1);
void check(cublasStatus_t status, const char* call, std::int64_t size = -1);
void check(cusparseStatus_t status, const char* call, std::int64_t size = -1);
void check(nvrtcResult status, const char* call);

/// Owns what `destroy` destroys: a handle of a CUDA library.
template <class Handle, auto& destroy>
class CudaHandle {
 public:
  CudaHandle() = default;
  explicit CudaHandle(Handle handle) : handle_(handle) {}
  CudaHandle(CudaHandle&& other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
  CudaHandle& operator=(CudaHandle&& other) noexcept {
    Handle mine = handle_;
    handle_ = other.handle_;
    other.handle_ = mine;
    return *this;
  }
  ~CudaHandle() {
    if (handle_ != nullptr) destroy(handle_);
  }

  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }
  /// For calls that make one.
  Handle* put() { return &handle_; }

 private:
  Handle handle_ = nullptr;
};

using CudaStream = CudaHandle<cudaStream_t, cudaStreamDestroy>;
using CudaEvent = CudaHandle<cudaEvent_t, cudaEventDestroy>;
using CudaGraph = CudaHandle<cudaGraph_t, cudaGraphDestroy>;
using CudaGraphExec = CudaHandle<cudaGraphExec_t, cudaGraphExecDestroy>;
using CudaLibrary = CudaHandle<cudaLibrary_t, cudaLibraryUnload>;
using CudaHostMemory = CudaHandle<void*, cudaFreeHost>;

}  // namespace gradus
