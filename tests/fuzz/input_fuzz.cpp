// Bytes that may be gzip data, whole or not: refused by IoError, or unpacked to the same bytes by windows of any size.
#include <gradus/core/error.h>
#include <gradus/models/data/input.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace gradus;

namespace {

constexpr std::size_t most = 1 << 20;  // a few bytes may unpack to a thousand times as many

std::string by_windows(std::string_view bytes, std::size_t window) {
  Input input = Input::of_bytes("data", bytes);
  std::string all;
  while (all.size() < most) {
    const auto [text, last] = input.look(window);
    if (!last && text.size() < window) std::abort();
    const std::string_view part = text.substr(0, window);
    all += part;
    input.take(part.size());
    if (part.empty()) break;
  }
  all.resize(all.size() < most ? all.size() : most);
  return all;
}

std::string by_records(std::string_view bytes) {
  Input input = Input::of_bytes("data", bytes);
  std::string all;
  while (all.size() < most) {
    const std::string_view part = input.records(5, true);
    if (part.empty()) break;
    all += part;
    input.take(part.size());
  }
  all.resize(all.size() < most ? all.size() : most);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const std::string all = by_windows(bytes, 1 << 16);
    if (by_windows(bytes, 4093) != all || by_records(bytes) != all) std::abort();
  } catch (const IoError&) {
  }
  return 0;
}
