// The standard library counts with unsigned numbers, everything else here with signed ones. Internal.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradus {

/// A number of ours, not negative, as an index of a container.
constexpr std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace gradus
