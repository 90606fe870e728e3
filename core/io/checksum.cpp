#include <gradus/core/io/checksum.h>

#include <zlib.h>

#include <algorithm>

namespace gradus {

std::uint32_t crc32_of(const void* bytes, std::size_t count, std::uint32_t so_far) {
  constexpr std::size_t at_once = std::size_t{1} << 30;  // zlib counts with 32 bits
  const auto* next = static_cast<const Bytef*>(bytes);
  uLong crc = so_far;
  while (count > 0) {
    const std::size_t here = std::min(count, at_once);
    crc = ::crc32(crc, next, static_cast<uInt>(here));
    next += here;
    count -= here;
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace gradus
