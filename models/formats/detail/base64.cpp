#include <gradus/models/formats/detail/base64.h>

#include <cstdint>
#include <string_view>

namespace gradus {

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t j) { return j < bytes.size() ? std::to_integer<std::uint32_t>(bytes[j]) : 0U; };
    const std::uint32_t three = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    for (std::size_t j = 0; j < 4; ++j)
      text += i + j > bytes.size() ? '=' : digits[three >> (18U - 6U * static_cast<unsigned>(j)) & 63U];
  }
  return text;
}

}  // namespace gradus
