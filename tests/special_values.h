// Values that tests of the ends of the range use.
#pragma once

#include <limits>

namespace gradus {

inline constexpr double infinity = std::numeric_limits<double>::infinity();
inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace gradus
