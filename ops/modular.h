// Integer arithmetic that wraps around. Signed overflow is undefined in C++, unsigned is not; formulas for any
// dtype compute in modular(x) and cast back: static_cast<T>(modular(a) + modular(b)).
#pragma once

#include <type_traits>

namespace gradus {

/// An integer as the unsigned type of its size; a floating number as itself.
template <class T>
constexpr auto modular(T x) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<std::make_unsigned_t<T>>(x);
  } else {
    return x;
  }
}

}  // namespace gradus
