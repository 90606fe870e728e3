// A number of the run as one of the program, where it is a usual one: loops and copies of a length that the compiler
// knows need no counting and no call. Internal.
#pragma once

#include <type_traits>

namespace gradus {

/// f(n as a constant) if n is one of `usual`, else f(0 as one).
template <class T, T... usual, class F>
[[gnu::always_inline]] inline void as_constant(T n, F&& f) {
  if (!((n == usual && (f(std::integral_constant<T, usual>{}), true)) || ...)) f(std::integral_constant<T, 0>{});
}

}  // namespace gradus
