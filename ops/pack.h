// A row of a table of factors in vector registers. The compilers' vector types stand for the loop over the factors,
// because neither compiler keeps an array that it vectorises in registers.
#pragma once

#include <cstdint>

namespace gradus {

namespace detail {

// Vector types of 32 and 16 bytes, and of two floats; the second of a pair is the same wherever it lies in memory.
template <class T>
struct Vectors;
template <>
struct Vectors<float> {
  using Wide = float __attribute__((vector_size(32)));
  using WideAt = float __attribute__((vector_size(32), aligned(4), may_alias));
  using Half = float __attribute__((vector_size(16)));
  using HalfAt = float __attribute__((vector_size(16), aligned(4), may_alias));
  using Pair = float __attribute__((vector_size(8)));
};
template <>
struct Vectors<double> {
  using Wide = double __attribute__((vector_size(32)));
  using WideAt = double __attribute__((vector_size(32), aligned(8), may_alias));
  using Half = double __attribute__((vector_size(16)));
  using HalfAt = double __attribute__((vector_size(16), aligned(8), may_alias));
  using Pair = Half;
};

}  // namespace detail

/// k numbers, k a multiple of 4.
template <class T, std::int64_t k>
struct Pack {
  static_assert(k > 0 && k % 4 == 0);
  using Wide = typename detail::Vectors<T>::Wide;
  using WideAt = typename detail::Vectors<T>::WideAt;
  using Half = typename detail::Vectors<T>::Half;
  using HalfAt = typename detail::Vectors<T>::HalfAt;
  static constexpr std::int64_t wide_lanes = 32 / sizeof(T);
  static constexpr std::int64_t wides = k / wide_lanes;
  static constexpr bool has_half = k % wide_lanes != 0;

  Wide wide[wides > 0 ? wides : 1] = {};
  Half half = {};

  [[gnu::always_inline]] void load(const T* from) {
    for (std::int64_t i = 0; i < wides; ++i) wide[i] = *reinterpret_cast<const WideAt*>(from + wide_lanes * i);
    if constexpr (has_half) half = *reinterpret_cast<const HalfAt*>(from + wide_lanes * wides);
  }
  [[gnu::always_inline]] void store(T* to) const {
    for (std::int64_t i = 0; i < wides; ++i) *reinterpret_cast<WideAt*>(to + wide_lanes * i) = wide[i];
    if constexpr (has_half) *reinterpret_cast<HalfAt*>(to + wide_lanes * wides) = half;
  }
  /// this += x * (the row at `from`)
  [[gnu::always_inline]] void add(T x, const T* from) {
    for (std::int64_t i = 0; i < wides; ++i) wide[i] += x * *reinterpret_cast<const WideAt*>(from + wide_lanes * i);
    if constexpr (has_half) half += x * *reinterpret_cast<const HalfAt*>(from + wide_lanes * wides);
  }
  /// this += a * b, element by element
  [[gnu::always_inline]] void add_products(const T* a, const T* b) {
    for (std::int64_t i = 0; i < wides; ++i)
      wide[0] +=
          *reinterpret_cast<const WideAt*>(a + wide_lanes * i) * *reinterpret_cast<const WideAt*>(b + wide_lanes * i);
    if constexpr (has_half)
      half += *reinterpret_cast<const HalfAt*>(a + wide_lanes * wides) *
              *reinterpret_cast<const HalfAt*>(b + wide_lanes * wides);
  }
  /// The sum of what add_products gathered: halves are added to halves.
  [[gnu::always_inline]] T sum() const {
    Half all = half;
    if constexpr (wides > 0) {
      Half halves[2];
      __builtin_memcpy(halves, &wide[0], sizeof halves);
      all += halves[0] + halves[1];
    }
    if constexpr (wide_lanes == 4) {
      return all[0] + all[1];
    } else {
      return (all[0] + all[2]) + (all[1] + all[3]);
    }
  }
};

}  // namespace gradus
