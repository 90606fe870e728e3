#include <gradus/core/device/device.h>

#include <gradus/core/error.h>

#include <algorithm>
#include <charconv>

namespace gradus {

Device Device::named(std::string_view name) {
  if (name == "cpu") return cpu();
  if (name == "cuda") return cuda();
  int index = 0;
  const std::string_view digits = name.substr(std::min<std::size_t>(name.size(), 5));
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (!name.starts_with("cuda:") || digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      index < 0)
    fail<ValueError>("device \"{}\" is not known; cpu, cuda or cuda:1 is expected", name);
  return cuda(index);
}

Device Device::other(std::string name, std::function<std::shared_ptr<Accelerator>()> open) {
  Device device;
  device.name_ = std::move(name);
  device.open_ = std::move(open);
  return device;
}

}  // namespace gradus
