// Numbers for products of matrices, with what shows that nothing else was read or written.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

// Numbers between not-a-numbers, which spoil every sum that reads beyond the ends.
template <class T>
struct GuardedNumbers {
  static constexpr std::size_t margin = 16;
  std::size_t size;
  std::vector<T> all;

  GuardedNumbers(std::int64_t count, std::uint32_t seed)
      : size(static_cast<std::size_t>(count)), all(size + 2 * margin, std::numeric_limits<T>::quiet_NaN()) {
    for (std::size_t i = 0; i < size; ++i) {
      seed = seed * 1664525U + 1013904223U;
      all[margin + i] = static_cast<T>(seed >> 8U) / T{1 << 24} - T{0.5};
    }
  }
  T* data() { return all.data() + margin; }
  const T* data() const { return all.data() + margin; }
  bool unharmed() const {
    const auto is_nan = [](T x) { return std::isnan(x); };
    const auto begin = all.begin(), end = all.end();
    return std::all_of(begin, begin + margin, is_nan) && std::all_of(end - margin, end, is_nan);
  }
};
