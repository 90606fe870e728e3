// The functions of CUDA's libraries that the backend calls, under their own names. The libraries are loaded when one of
// their functions is first called: they are half a gigabyte, and a program that computes on the CPU, or runs where they
// are not installed, does without. Within this namespace a call finds these names before the headers' own.
// Only files named cuda_* include this.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusparse.h>
#include <nvrtc.h>

#include <atomic>
#include <cstdint>

namespace gradus {

enum class CudaLibraryName : std::uint8_t { cudart, cublas, cusparse, nvrtc };

/// The function of that name. Throws DeviceError, with the loader's words, where library or function are not there.
void* find_cuda_function(CudaLibraryName library, const char* name);

/// A function that is looked up when it is first called.
template <class F>
class CudaFunction;
template <class R, class... A>
class CudaFunction<R(A...)> {
 public:
  constexpr CudaFunction(CudaLibraryName library, const char* name) : library_(library), name_(name) {}
  R operator()(A... arguments) const {
    void* found = found_.load(std::memory_order_acquire);
    if (found == nullptr) {
      found = find_cuda_function(library_, name_);
      found_.store(found, std::memory_order_release);
    }
    return reinterpret_cast<R (*)(A...)>(found)(arguments...);
  }

 private:
  CudaLibraryName library_;
  const char* name_;
  mutable std::atomic<void*> found_{nullptr};
};

// NOLINTBEGIN(readability-identifier-naming): the libraries' names
inline CudaFunction<decltype(::cudaDriverGetVersion)> cudaDriverGetVersion{CudaLibraryName::cudart,
                                                                           "cudaDriverGetVersion"};
inline CudaFunction<decltype(::cudaEventCreateWithFlags)> cudaEventCreateWithFlags{CudaLibraryName::cudart,
                                                                                   "cudaEventCreateWithFlags"};
inline CudaFunction<decltype(::cudaEventDestroy)> cudaEventDestroy{CudaLibraryName::cudart, "cudaEventDestroy"};
inline CudaFunction<decltype(::cudaEventElapsedTime)> cudaEventElapsedTime{CudaLibraryName::cudart,
                                                                           "cudaEventElapsedTime"};
inline CudaFunction<decltype(::cudaEventRecord)> cudaEventRecord{CudaLibraryName::cudart, "cudaEventRecord"};
inline CudaFunction<decltype(::cudaEventSynchronize)> cudaEventSynchronize{CudaLibraryName::cudart,
                                                                           "cudaEventSynchronize"};
inline CudaFunction<decltype(::cudaFree)> cudaFree{CudaLibraryName::cudart, "cudaFree"};
inline CudaFunction<decltype(::cudaFreeHost)> cudaFreeHost{CudaLibraryName::cudart, "cudaFreeHost"};
inline CudaFunction<decltype(::cudaGetDeviceCount)> cudaGetDeviceCount{CudaLibraryName::cudart, "cudaGetDeviceCount"};
inline CudaFunction<decltype(::cudaGetDeviceProperties)> cudaGetDeviceProperties{CudaLibraryName::cudart,
                                                                                 "cudaGetDeviceProperties"};
inline CudaFunction<decltype(::cudaGetErrorString)> cudaGetErrorString{CudaLibraryName::cudart, "cudaGetErrorString"};
inline CudaFunction<decltype(::cudaGetLastError)> cudaGetLastError{CudaLibraryName::cudart, "cudaGetLastError"};
inline CudaFunction<decltype(::cudaGraphDestroy)> cudaGraphDestroy{CudaLibraryName::cudart, "cudaGraphDestroy"};
inline CudaFunction<decltype(::cudaGraphExecDestroy)> cudaGraphExecDestroy{CudaLibraryName::cudart,
                                                                           "cudaGraphExecDestroy"};
inline CudaFunction<decltype(::cudaGraphInstantiate)> cudaGraphInstantiate{CudaLibraryName::cudart,
                                                                           "cudaGraphInstantiate"};
inline CudaFunction<decltype(::cudaGraphLaunch)> cudaGraphLaunch{CudaLibraryName::cudart, "cudaGraphLaunch"};
inline CudaFunction<decltype(::cudaLaunchKernel)> cudaLaunchKernel{CudaLibraryName::cudart, "cudaLaunchKernel"};
inline CudaFunction<decltype(::cudaLibraryGetKernel)> cudaLibraryGetKernel{CudaLibraryName::cudart,
                                                                           "cudaLibraryGetKernel"};
inline CudaFunction<decltype(::cudaLibraryLoadData)> cudaLibraryLoadData{CudaLibraryName::cudart,
                                                                         "cudaLibraryLoadData"};
inline CudaFunction<decltype(::cudaLibraryUnload)> cudaLibraryUnload{CudaLibraryName::cudart, "cudaLibraryUnload"};
inline CudaFunction<decltype(::cudaMalloc)> cudaMalloc{CudaLibraryName::cudart, "cudaMalloc"};
inline CudaFunction<decltype(::cudaMallocHost)> cudaMallocHost{CudaLibraryName::cudart, "cudaMallocHost"};
inline CudaFunction<decltype(::cudaMemGetInfo)> cudaMemGetInfo{CudaLibraryName::cudart, "cudaMemGetInfo"};
inline CudaFunction<decltype(::cudaMemcpyAsync)> cudaMemcpyAsync{CudaLibraryName::cudart, "cudaMemcpyAsync"};
inline CudaFunction<decltype(::cudaMemsetAsync)> cudaMemsetAsync{CudaLibraryName::cudart, "cudaMemsetAsync"};
inline CudaFunction<decltype(::cudaSetDevice)> cudaSetDevice{CudaLibraryName::cudart, "cudaSetDevice"};
inline CudaFunction<decltype(::cudaStreamBeginCapture)> cudaStreamBeginCapture{CudaLibraryName::cudart,
                                                                               "cudaStreamBeginCapture"};
inline CudaFunction<decltype(::cudaStreamCreateWithFlags)> cudaStreamCreateWithFlags{CudaLibraryName::cudart,
                                                                                     "cudaStreamCreateWithFlags"};
inline CudaFunction<decltype(::cudaStreamDestroy)> cudaStreamDestroy{CudaLibraryName::cudart, "cudaStreamDestroy"};
inline CudaFunction<decltype(::cudaStreamEndCapture)> cudaStreamEndCapture{CudaLibraryName::cudart,
                                                                           "cudaStreamEndCapture"};
inline CudaFunction<decltype(::cudaStreamSynchronize)> cudaStreamSynchronize{CudaLibraryName::cudart,
                                                                             "cudaStreamSynchronize"};

inline CudaFunction<decltype(::cublasCreate_v2)> cublasCreate_v2{CudaLibraryName::cublas, "cublasCreate_v2"};
inline CudaFunction<decltype(::cublasDestroy_v2)> cublasDestroy_v2{CudaLibraryName::cublas, "cublasDestroy_v2"};
inline CudaFunction<decltype(::cublasDgemmStridedBatched_64)> cublasDgemmStridedBatched_64{
    CudaLibraryName::cublas, "cublasDgemmStridedBatched_64"};
inline CudaFunction<decltype(::cublasDgemm_v2_64)> cublasDgemm_v2_64{CudaLibraryName::cublas, "cublasDgemm_v2_64"};
inline CudaFunction<decltype(::cublasGetStatusString)> cublasGetStatusString{CudaLibraryName::cublas,
                                                                             "cublasGetStatusString"};
inline CudaFunction<decltype(::cublasSetAtomicsMode)> cublasSetAtomicsMode{CudaLibraryName::cublas,
                                                                           "cublasSetAtomicsMode"};
inline CudaFunction<decltype(::cublasSetMathMode)> cublasSetMathMode{CudaLibraryName::cublas, "cublasSetMathMode"};
inline CudaFunction<decltype(::cublasSetStream_v2)> cublasSetStream_v2{CudaLibraryName::cublas, "cublasSetStream_v2"};
inline CudaFunction<decltype(::cublasSetWorkspace_v2)> cublasSetWorkspace_v2{CudaLibraryName::cublas,
                                                                             "cublasSetWorkspace_v2"};
inline CudaFunction<decltype(::cublasSgemmStridedBatched_64)> cublasSgemmStridedBatched_64{
    CudaLibraryName::cublas, "cublasSgemmStridedBatched_64"};
inline CudaFunction<decltype(::cublasSgemm_v2_64)> cublasSgemm_v2_64{CudaLibraryName::cublas, "cublasSgemm_v2_64"};

inline CudaFunction<decltype(::cusparseCreate)> cusparseCreate{CudaLibraryName::cusparse, "cusparseCreate"};
inline CudaFunction<decltype(::cusparseCreateConstCsr)> cusparseCreateConstCsr{CudaLibraryName::cusparse,
                                                                               "cusparseCreateConstCsr"};
inline CudaFunction<decltype(::cusparseCreateConstDnMat)> cusparseCreateConstDnMat{CudaLibraryName::cusparse,
                                                                                   "cusparseCreateConstDnMat"};
inline CudaFunction<decltype(::cusparseCreateConstDnVec)> cusparseCreateConstDnVec{CudaLibraryName::cusparse,
                                                                                   "cusparseCreateConstDnVec"};
inline CudaFunction<decltype(::cusparseCreateDnMat)> cusparseCreateDnMat{CudaLibraryName::cusparse,
                                                                         "cusparseCreateDnMat"};
inline CudaFunction<decltype(::cusparseCreateDnVec)> cusparseCreateDnVec{CudaLibraryName::cusparse,
                                                                         "cusparseCreateDnVec"};
inline CudaFunction<decltype(::cusparseDestroy)> cusparseDestroy{CudaLibraryName::cusparse, "cusparseDestroy"};
inline CudaFunction<decltype(::cusparseDestroyDnMat)> cusparseDestroyDnMat{CudaLibraryName::cusparse,
                                                                           "cusparseDestroyDnMat"};
inline CudaFunction<decltype(::cusparseDestroyDnVec)> cusparseDestroyDnVec{CudaLibraryName::cusparse,
                                                                           "cusparseDestroyDnVec"};
inline CudaFunction<decltype(::cusparseDestroySpMat)> cusparseDestroySpMat{CudaLibraryName::cusparse,
                                                                           "cusparseDestroySpMat"};
inline CudaFunction<decltype(::cusparseGetErrorString)> cusparseGetErrorString{CudaLibraryName::cusparse,
                                                                               "cusparseGetErrorString"};
inline CudaFunction<decltype(::cusparseSetStream)> cusparseSetStream{CudaLibraryName::cusparse, "cusparseSetStream"};
inline CudaFunction<decltype(::cusparseSpMM)> cusparseSpMM{CudaLibraryName::cusparse, "cusparseSpMM"};
inline CudaFunction<decltype(::cusparseSpMM_bufferSize)> cusparseSpMM_bufferSize{CudaLibraryName::cusparse,
                                                                                 "cusparseSpMM_bufferSize"};
inline CudaFunction<decltype(::cusparseSpMV)> cusparseSpMV{CudaLibraryName::cusparse, "cusparseSpMV"};
inline CudaFunction<decltype(::cusparseSpMV_bufferSize)> cusparseSpMV_bufferSize{CudaLibraryName::cusparse,
                                                                                 "cusparseSpMV_bufferSize"};

inline CudaFunction<decltype(::nvrtcCompileProgram)> nvrtcCompileProgram{CudaLibraryName::nvrtc, "nvrtcCompileProgram"};
inline CudaFunction<decltype(::nvrtcCreateProgram)> nvrtcCreateProgram{CudaLibraryName::nvrtc, "nvrtcCreateProgram"};
inline CudaFunction<decltype(::nvrtcDestroyProgram)> nvrtcDestroyProgram{CudaLibraryName::nvrtc, "nvrtcDestroyProgram"};
inline CudaFunction<decltype(::nvrtcGetCUBIN)> nvrtcGetCUBIN{CudaLibraryName::nvrtc, "nvrtcGetCUBIN"};
inline CudaFunction<decltype(::nvrtcGetCUBINSize)> nvrtcGetCUBINSize{CudaLibraryName::nvrtc, "nvrtcGetCUBINSize"};
inline CudaFunction<decltype(::nvrtcGetErrorString)> nvrtcGetErrorString{CudaLibraryName::nvrtc, "nvrtcGetErrorString"};
inline CudaFunction<decltype(::nvrtcGetNumSupportedArchs)> nvrtcGetNumSupportedArchs{CudaLibraryName::nvrtc,
                                                                                     "nvrtcGetNumSupportedArchs"};
inline CudaFunction<decltype(::nvrtcGetProgramLog)> nvrtcGetProgramLog{CudaLibraryName::nvrtc, "nvrtcGetProgramLog"};
inline CudaFunction<decltype(::nvrtcGetProgramLogSize)> nvrtcGetProgramLogSize{CudaLibraryName::nvrtc,
                                                                               "nvrtcGetProgramLogSize"};
inline CudaFunction<decltype(::nvrtcGetSupportedArchs)> nvrtcGetSupportedArchs{CudaLibraryName::nvrtc,
                                                                               "nvrtcGetSupportedArchs"};
inline CudaFunction<decltype(::nvrtcVersion)> nvrtcVersion{CudaLibraryName::nvrtc, "nvrtcVersion"};

// NOLINTEND(readability-identifier-naming)

}  // namespace gradus
