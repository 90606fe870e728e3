// What stands in for the files cuda_*.cpp where the library is built without them.
#include <gradus/core/device/cuda_refusals.h>
#include <gradus/core/device/device.h>
#include <gradus/core/error.h>

namespace gradus {

Device Device::cuda(int index, const CudaOptions&) { throw DeviceError(cuda_refusal(index, {})); }

}  // namespace gradus
