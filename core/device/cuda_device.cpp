// The NVIDIA GPUs of this machine as devices.
#include <gradus/core/device/cuda_accelerator.h>
#include <gradus/core/device/cuda_compiler.h>
#include <gradus/core/device/cuda_refusals.h>
#include <gradus/core/device/device.h>
#include <gradus/core/error.h>

#include <fmt/format.h>

namespace gradus {

namespace {

CudaFound look_for(int index) {
  CudaFound found;
  found.toolkit = CUDART_VERSION;
  check(cudaDriverGetVersion(&found.driver), "cudaDriverGetVersion");
  if (found.driver == 0) return found;
  const cudaError_t status = cudaGetDeviceCount(&found.devices);
  if (status != cudaSuccess) {
    cudaGetLastError();
    found.devices = 0;
    if (status != cudaErrorNoDevice) found.status = cudaGetErrorString(status);
    return found;
  }
  if (index < 0 || index >= found.devices) return found;
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  found.name = properties.name;
  found.capability = 10 * properties.major + properties.minor;
  found.oldest = oldest_capability();
  return found;
}

}  // namespace

Device Device::cuda(int index, const CudaOptions& options) {
  const CudaFound found = look_for(index);
  if (const std::string refusal = cuda_refusal(index, found); !refusal.empty()) throw DeviceError(refusal);
  const std::string name = fmt::format("cuda:{} ({})", index, found.name);
  return other(name, [index, name, capability = found.capability, tf32 = options.tf32] {
    return std::make_shared<CudaAccelerator>(index, name, capability, tf32);
  });
}

}  // namespace gradus
