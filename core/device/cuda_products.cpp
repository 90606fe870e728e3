#include <gradus/core/device/cuda_products.h>

#include <gradus/core/error.h>

#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t blas_bytes = 32 << 20;  // what NVIDIA recommends for Hopper; others use less of it

using SparseMatrix = CudaHandle<cusparseConstSpMatDescr_t, cusparseDestroySpMat>;
using DenseMatrix = CudaHandle<cusparseDnMatDescr_t, cusparseDestroyDnMat>;
using ConstDenseMatrix = CudaHandle<cusparseConstDnMatDescr_t, cusparseDestroyDnMat>;
using Vector = CudaHandle<cusparseDnVecDescr_t, cusparseDestroyDnVec>;
using ConstVector = CudaHandle<cusparseConstDnVecDescr_t, cusparseDestroyDnVec>;

void refuse_in_recording(bool recording, const char* what) {
  if (recording) fail<DeviceError>("{} cannot be recorded", what);
}

}  // namespace

// The same handle, stream and workspace in every run: cuBLAS then gives the same bits.
void CudaProducts::open_blas(bool recording) {
  if (blas_) return;
  refuse_in_recording(recording, "opening cuBLAS");
  CudaHandle<cublasHandle_t, cublasDestroy> handle;
  check(cublasCreate(handle.put()), "cublasCreate");
  check(cublasSetStream(handle.get(), stream_), "cublasSetStream");
  void* const workspace = blas_workspace_.reserve(blas_bytes, recording);
  check(cublasSetWorkspace(handle.get(), workspace, blas_bytes), "cublasSetWorkspace", blas_bytes);
  check(cublasSetMathMode(handle.get(), tf32_ ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
  check(cublasSetAtomicsMode(handle.get(), CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
  blas_ = std::move(handle);
}

void CudaProducts::open_sparse(bool recording) {
  if (sparse_) return;
  refuse_in_recording(recording, "opening cuSPARSE");
  CudaHandle<cusparseHandle_t, cusparseDestroy> handle;
  check(cusparseCreate(handle.put()), "cusparseCreate");
  check(cusparseSetStream(handle.get(), stream_), "cusparseSetStream");
  sparse_ = std::move(handle);
}

// cuBLAS counts down columns: what lies row by row is to it the transposed matrix. So c^T = b^T a^T is asked for.
void CudaProducts::gemm(const GemmWork& work, bool recording) {
  open_blas(recording);
  const auto of_b = work.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const auto of_a = work.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const std::int64_t row_of_b = work.transpose_b ? work.k : work.n;
  const std::int64_t row_of_a = work.transpose_a ? work.m : work.k;
  const auto product = [&]<class T>(T one, const auto& one_product, const auto& many_products, const char* call) {
    const T zero = 0;
    const auto* a = reinterpret_cast<const T*>(work.a);
    const auto* b = reinterpret_cast<const T*>(work.b);
    auto* c = reinterpret_cast<T*>(work.c);
    const std::int64_t bytes = work.batch * work.m * work.n * static_cast<std::int64_t>(sizeof(T));
    if (work.batch == 1) {
      check(one_product(blas_.get(), of_b, of_a, work.n, work.m, work.k, &one, b, row_of_b, a, row_of_a, &zero, c,
                        work.n),
            call, bytes);
    } else {
      check(many_products(blas_.get(), of_b, of_a, work.n, work.m, work.k, &one, b, row_of_b, work.b_stride, a,
                          row_of_a, work.a_stride, &zero, c, work.n, work.c_stride, work.batch),
            call, bytes);
    }
  };
  if (work.dtype == float64) {
    product(1.0, cublasDgemm_64, cublasDgemmStridedBatched_64, "cublasDgemm");
  } else {
    product(1.0F, cublasSgemm_64, cublasSgemmStridedBatched_64, "cublasSgemm");
  }
}

// Of cuSPARSE's algorithms for csr, those that are documented to give the same bits in every run, where the matrix is
// not transposed: CUSPARSE_SPMV_CSR_ALG2 and CUSPARSE_SPMM_CSR_ALG3; the defaults and all others for csr are not. ALG3
// does not do all products: since CUDA 12.2.1 it refuses the others instead of taking another algorithm.
bool CudaProducts::spmm(const SpmmWork& work, const std::int32_t* row_start, bool recording) {
  open_sparse(recording);
  const cudaDataType type = work.dtype == float64 ? CUDA_R_64F : CUDA_R_32F;
  const double one64 = 1, zero64 = 0;
  const float one32 = 1, zero32 = 0;
  const void* one = work.dtype == float64 ? static_cast<const void*>(&one64) : &one32;
  const void* zero = work.dtype == float64 ? static_cast<const void*>(&zero64) : &zero32;
  SparseMatrix a;
  check(cusparseCreateConstCsr(a.put(), work.rows, work.columns, work.non_zeros, row_start, work.column, work.values,
                               CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, type),
        "cusparseCreateConstCsr");
  constexpr auto as_it_is = CUSPARSE_OPERATION_NON_TRANSPOSE;
  std::size_t bytes = 0;
  if (work.k == 1) {
    ConstVector b;
    Vector c;
    check(cusparseCreateConstDnVec(b.put(), work.columns, work.b, type), "cusparseCreateConstDnVec");
    check(cusparseCreateDnVec(c.put(), work.rows, work.c, type), "cusparseCreateDnVec");
    constexpr auto algorithm = CUSPARSE_SPMV_CSR_ALG2;
    check(
        cusparseSpMV_bufferSize(sparse_.get(), as_it_is, one, a.get(), b.get(), zero, c.get(), type, algorithm, &bytes),
        "cusparseSpMV_bufferSize");
    void* const workspace = sparse_workspace_.reserve(static_cast<std::int64_t>(bytes), recording);
    check(cusparseSpMV(sparse_.get(), as_it_is, one, a.get(), b.get(), zero, c.get(), type, algorithm, workspace),
          "cusparseSpMV", static_cast<std::int64_t>(bytes));
    return true;
  }
  ConstDenseMatrix b;
  DenseMatrix c;
  check(cusparseCreateConstDnMat(b.put(), work.columns, work.k, work.k, work.b, type, CUSPARSE_ORDER_ROW),
        "cusparseCreateConstDnMat");
  check(cusparseCreateDnMat(c.put(), work.rows, work.k, work.k, work.c, type, CUSPARSE_ORDER_ROW),
        "cusparseCreateDnMat");
  constexpr auto algorithm = CUSPARSE_SPMM_CSR_ALG3;
  cusparseStatus_t status = cusparseSpMM_bufferSize(sparse_.get(), as_it_is, as_it_is, one, a.get(), b.get(), zero,
                                                    c.get(), type, algorithm, &bytes);
  if (status == CUSPARSE_STATUS_NOT_SUPPORTED) return false;
  check(status, "cusparseSpMM_bufferSize");
  void* const workspace = sparse_workspace_.reserve(static_cast<std::int64_t>(bytes), recording);
  status =
      cusparseSpMM(sparse_.get(), as_it_is, as_it_is, one, a.get(), b.get(), zero, c.get(), type, algorithm, workspace);
  if (status == CUSPARSE_STATUS_NOT_SUPPORTED) return false;
  check(status, "cusparseSpMM", static_cast<std::int64_t>(bytes));
  return true;
}

}  // namespace gradus
