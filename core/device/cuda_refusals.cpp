#include <gradus/core/device/cuda_refusals.h>

#include <fmt/format.h>

namespace gradus {

namespace {

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

std::string capability(int number) { return fmt::format("{}.{}", number / 10, number % 10); }

}  // namespace

std::string cuda_refusal(int index, const CudaFound& found) {
  const std::string asked = fmt::format("cuda:{} was asked for, but", index);
  if (found.toolkit == 0)
    return fmt::format(
        "{} this build of Gradus has no CUDA backend: CMake found no CUDA toolkit, or GRADUS_CUDA is "
        "OFF; use the CPU",
        asked);
  if (found.driver == 0) return fmt::format("{} there is no NVIDIA driver; install one, or use the CPU", asked);
  if (found.driver / 1000 < found.toolkit / 1000)
    return fmt::format(
        "{} the NVIDIA driver is for CUDA {} and this build of Gradus needs {}; update the driver, or "
        "use the CPU",
        asked, version(found.driver), version(found.toolkit));
  if (!found.status.empty()) return fmt::format("{} CUDA does not start: {}; use the CPU", asked, found.status);
  if (found.devices == 0) return fmt::format("{} there is no NVIDIA GPU here; use the CPU", asked);
  if (index < 0 || index >= found.devices)
    return fmt::format("{} there {} {} NVIDIA GPU{} here; indices are 0 to {}", asked,
                       found.devices == 1 ? "is" : "are", found.devices, found.devices == 1 ? "" : "s",
                       found.devices - 1);
  if (found.capability < found.oldest)
    return fmt::format("{} {} has compute capability {} and CUDA {} compiles for {} and above; use the CPU", asked,
                       found.name, capability(found.capability), version(found.toolkit), capability(found.oldest));
  return {};
}

std::string out_of_device_memory(const std::string& device, std::int64_t asked, std::int64_t free, std::int64_t total) {
  return fmt::format("out of memory on {}: {} bytes were asked for, {} of {} are free", device, asked, free, total);
}

std::string failed_call(const char* call, std::int64_t size, const std::string& says, int code) {
  return size < 0 ? fmt::format("{} failed: {} ({})", call, says, code)
                  : fmt::format("{} of {} bytes failed: {} ({})", call, size, says, code);
}

}  // namespace gradus
