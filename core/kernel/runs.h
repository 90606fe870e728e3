// How a run of elements in a row becomes one: in lanes (eight where the run is short, else sixteen or more) over blocks
// of 1024, so that the bits depend on the run's length alone. F says what is combined: `start`, `combine` of two
// numbers of its type Wide or T, and where `in_lanes` holds, `combine_lanes` of two vectors. Kernels that are compiled
// while a program runs have this text in theirs, so it needs no header but those in the first lines.
#pragma once

#include <cstdint>

namespace gradus::runs {

constexpr std::int64_t block = 1024;

template <class T>
inline constexpr std::int64_t lanes = sizeof(T) == 4 ? 32 : 16;

/// Eight and more contiguous elements in eight lanes, and these to four: l and l + 4.
template <class F, class T>
struct Few {
  using Wide = typename F::Wide;
  using Eight [[gnu::vector_size(8 * sizeof(T))]] = T;
  using WideEight [[gnu::vector_size(8 * sizeof(Wide))]] = Wide;
  using Four [[gnu::vector_size(4 * sizeof(Wide))]] = Wide;

  [[gnu::always_inline]] static void run(const T* x, std::int64_t n, Four& to) {
    Eight lane;
    __builtin_memcpy(&lane, x, sizeof lane);
    for (std::int64_t j = 8; j + 8 <= n; j += 8) {
      Eight more;
      __builtin_memcpy(&more, x + j, sizeof more);
      F::combine_lanes(lane, more);
    }
    const auto wide = __builtin_convertvector(lane, WideEight);
    Four half[2];  // through memory: that takes the compilers no instruction, which a shuffle does
    __builtin_memcpy(half, &wide, sizeof half);
    to = half[0];
    F::combine_lanes(to, half[1]);
  }

  /// Four runs, x [4, n], with what is left of the lanes of all combined at once.
  [[gnu::always_inline]] static void run_four(const T* x, std::int64_t n, Wide* total) {
    Four a, b, c, d;
    run(x, n, a);
    run(x + n, n, b);
    run(x + 2 * n, n, c);
    run(x + 3 * n, n, d);
    Four ab = __builtin_shufflevector(a, b, 0, 1, 4, 5), cd = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    const Four ab2 = __builtin_shufflevector(a, b, 2, 3, 6, 7), cd2 = __builtin_shufflevector(c, d, 2, 3, 6, 7);
    F::combine_lanes(ab, ab2);
    F::combine_lanes(cd, cd2);
    Four all = __builtin_shufflevector(ab, cd, 0, 2, 4, 6);
    const Four others = __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
    F::combine_lanes(all, others);
    for (std::int64_t j = n - n % 8; j < n; ++j) {
      const Four next = {Wide(x[j]), Wide(x[n + j]), Wide(x[2 * n + j]), Wide(x[3 * n + j])};
      F::combine_lanes(all, next);
    }
    __builtin_memcpy(total, &all, sizeof all);
  }
};

/// Fewer elements than there are lanes: eight and more in eight lanes, which are combined in pairs; others one after
/// the other.
template <class F, class T>
[[gnu::always_inline]] inline typename F::Wide short_run(const T* x, std::int64_t n) {
  using Wide = typename F::Wide;
  Wide total = F::start;
  std::int64_t j = 0;
  if constexpr (F::in_lanes) {
    if (n >= 8) {
      typename Few<F, T>::Four lane;
      Few<F, T>::run(x, n, lane);
      total = F::combine(F::combine(Wide(lane[0]), Wide(lane[2])), F::combine(Wide(lane[1]), Wide(lane[3])));
      j = n - n % 8;
    }
  }
  for (; j < n; ++j) total = F::combine(total, static_cast<Wide>(x[j]));
  return total;
}

template <class F, class T>
[[gnu::always_inline]] inline typename F::Wide run(const T* x, std::int64_t n) {
  using Wide = typename F::Wide;
  constexpr std::int64_t width = lanes<T>;
  Wide total = F::start;
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t count = n - first < block ? n - first : block;
    const T* b = x + first;
    if (count < width) {
      total = F::combine(total, short_run<F, T>(b, count));
      continue;
    }
    T lane[width];
    for (std::int64_t l = 0; l < width; ++l) lane[l] = b[l];
    std::int64_t j = width;
    for (; j + width <= count; j += width)
      for (std::int64_t l = 0; l < width; ++l) lane[l] = F::combine(lane[l], b[j + l]);
    // The lanes are combined in pairs, which do not wait for one another.
    Wide wide[width];
    for (std::int64_t l = 0; l < width; ++l) wide[l] = static_cast<Wide>(lane[l]);
    for (std::int64_t half = width / 2; half > 0; half /= 2)
      for (std::int64_t l = 0; l < half; ++l) wide[l] = F::combine(wide[l], wide[l + half]);
    Wide sum = wide[0];
    for (; j < count; ++j) sum = F::combine(sum, static_cast<Wide>(b[j]));
    total = F::combine(total, sum);
  }
  return total;
}

/// Each row of x [rows, n] to one, as `run` does it. Short ones do not wait for one another.
template <class F, class T>
[[gnu::always_inline]] inline void rows(const T* x, std::int64_t count, std::int64_t n, typename F::Wide* total) {
  using Wide = typename F::Wide;
  std::int64_t row = 0;
  if (n >= lanes<T>) {
    for (; row < count; ++row) total[row] = run<F, T>(x + row * n, n);
    return;
  }
  if constexpr (F::in_lanes) {
    if (n >= 8) {
      for (; row + 4 <= count; row += 4) Few<F, T>::run_four(x + row * n, n, total + row);
      for (; row < count; ++row) total[row] = short_run<F, T>(x + row * n, n);
      return;
    }
  }
  constexpr std::int64_t together = 8;
  for (; row + together <= count; row += together) {
    Wide sum[together];
    for (std::int64_t r = 0; r < together; ++r) sum[r] = F::start;
    const T* b = x + row * n;
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t r = 0; r < together; ++r) sum[r] = F::combine(sum[r], static_cast<Wide>(b[r * n + j]));
    for (std::int64_t r = 0; r < together; ++r) total[row + r] = sum[r];
  }
  for (; row < count; ++row) total[row] = run<F, T>(x + row * n, n);
}

}  // namespace gradus::runs
