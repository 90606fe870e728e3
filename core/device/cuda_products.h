// Matrix products of a GPU's libraries: cuBLAS for dense ones, cuSPARSE for csr times dense. Both are opened when first
// needed. Memory that they work in is given to them once, so that a product can be recorded.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/device/cuda_check.h>
#include <gradus/core/device/cuda_memory.h>

namespace gradus {

class CudaProducts {
 public:
  CudaProducts(CudaMemory& memory, cudaStream_t stream, bool tf32)
      : stream_(stream), tf32_(tf32), blas_workspace_(memory), sparse_workspace_(memory) {}
  CudaProducts(const CudaProducts&) = delete;
  CudaProducts& operator=(const CudaProducts&) = delete;

  /// As Accelerator::gemm. While work is recorded nothing may be opened or grow: throws DeviceError then.
  void gemm(const GemmWork& work, bool recording);
  /// `row_start` is work.row_start as 32-bit numbers: cuSPARSE documents no offsets of another width than its indices.
  /// False, and nothing is done, where the algorithms that give the same bits in every run do not do this product.
  bool spmm(const SpmmWork& work, const std::int32_t* row_start, bool recording);
  /// Bytes that the libraries work in.
  std::int64_t held() const { return blas_workspace_.held() + sparse_workspace_.held(); }

 private:
  void open_blas(bool recording);
  void open_sparse(bool recording);

  cudaStream_t stream_;
  bool tf32_;
  CudaHandle<cublasHandle_t, cublasDestroy> blas_;
  CudaHandle<cusparseHandle_t, cusparseDestroy> sparse_;
  CudaWorkspace blas_workspace_, sparse_workspace_;
};

}  // namespace gradus
