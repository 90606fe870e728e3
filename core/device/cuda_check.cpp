#include <gradus/core/device/cuda_check.h>

#include <gradus/core/device/cuda_refusals.h>
#include <gradus/core/error.h>

namespace gradus {

namespace {

[[noreturn]] void refuse(const char* call, std::int64_t size, const char* says, int code) {
  throw DeviceError(failed_call(call, size, says, code));
}

}  // namespace

void check(cudaError_t status, const char* call, std::int64_t size) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that the next call is not blamed for it
  refuse(call, size, cudaGetErrorString(status), status);
}

void check(cublasStatus_t status, const char* call, std::int64_t size) {
  if (status != CUBLAS_STATUS_SUCCESS) refuse(call, size, cublasGetStatusString(status), status);
}

void check(cusparseStatus_t status, const char* call, std::int64_t size) {
  if (status != CUSPARSE_STATUS_SUCCESS) refuse(call, size, cusparseGetErrorString(status), status);
}

void check(nvrtcResult status, const char* call) {
  if (status != NVRTC_SUCCESS) refuse(call, -1, nvrtcGetErrorString(status), status);
}

}  // namespace gradus
