// The standard library counts with unsigned numbers, everything else here with signed ones. Internal.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradus {

/// A number of ours, not negative, as a size.
constexpr std::size_t as_size(std::int64_t count) { return static_cast<std::size_t>(count); }
/// The same as an index of a container.
constexpr std::size_t at(std::int64_t i) { return as_size(i); }

}  // namespace gradus
