#include <gradus/core/device.h>

#include <gradus/core/error.h>

namespace gradus {

Device Device::cuda(int index) {
  fail<DeviceError>("cuda:{} was asked for, but this build of Gradus has no CUDA backend; use Device::cpu()", index);
}

}  // namespace gradus
