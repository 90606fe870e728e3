// How a caching allocator rounds what it is asked for, so that released memory fits what is asked for next: multiples
// of 512 bytes up to 4 KiB, then four sizes for each doubling, which wastes a fifth at the most.
#pragma once

#include <bit>
#include <cstdint>

namespace gradus {

constexpr std::int64_t size_class(std::int64_t bytes) {
  constexpr std::int64_t smallest = 512;
  std::int64_t step = smallest;
  if (bytes > 8 * smallest) {
    const auto below = std::bit_floor(static_cast<std::uint64_t>(bytes - 1));
    step = static_cast<std::int64_t>(below) / 4;
  }
  return (bytes + step - 1) / step * step;
}

}  // namespace gradus
