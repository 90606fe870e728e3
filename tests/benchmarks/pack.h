// A few floats held in vector registers: what the hand-written loops compute with. The compilers' vector extensions
// stand for the loops over factors, because neither compiler keeps an array that it vectorises in registers.
#pragma once

namespace loops {

using Four = float __attribute__((vector_size(16)));
using Eight = float __attribute__((vector_size(32)));
// The same wherever they lie in memory.
using FourAt = float __attribute__((vector_size(16), aligned(4), may_alias));
using EightAt = float __attribute__((vector_size(32), aligned(4), may_alias));

using Sixteen = float __attribute__((vector_size(64)));
using FloatAt = float __attribute__((may_alias));
using SixteenAt = float __attribute__((vector_size(64), aligned(4), may_alias));

inline float sum(Four x) { return (x[0] + x[1]) + (x[2] + x[3]); }
inline float sum(Eight x) {
  return sum(__builtin_shufflevector(x, x, 0, 1, 2, 3) + __builtin_shufflevector(x, x, 4, 5, 6, 7));
}
inline float sum(Sixteen x) {
  return sum(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7) +
             __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15));
}
inline float greatest(Sixteen x) {
  const auto fold = [&x](Sixteen other) { x = x > other ? x : other; };
  fold(__builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  fold(__builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3));
  fold(__builtin_shufflevector(x, x, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1));
  fold(__builtin_shufflevector(x, x, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0));
  return x[0];
}
inline Sixteen load16(const float* from) { return *reinterpret_cast<const SixteenAt*>(from); }
inline void store16(float* to, Sixteen x) { *reinterpret_cast<SixteenAt*>(to) = x; }

/// k floats, k a multiple of 4: one row of a table of factors.
template <int k>
struct Pack {
  static_assert(k >= 8 && k % 4 == 0);
  static constexpr int eights = k / 8;
  static constexpr bool has_four = k % 8 == 4;

  Eight eight[eights] = {};
  Four four = {};  // the last four where k is no multiple of 8

  static Pack load(const float* from) {
    Pack out;
    for (int i = 0; i < eights; ++i) out.eight[i] = *reinterpret_cast<const EightAt*>(from + 8 * i);
    if constexpr (has_four) out.four = *reinterpret_cast<const FourAt*>(from + 8 * eights);
    return out;
  }
  void store(float* to) const {
    for (int i = 0; i < eights; ++i) *reinterpret_cast<EightAt*>(to + 8 * i) = eight[i];
    if constexpr (has_four) *reinterpret_cast<FourAt*>(to + 8 * eights) = four;
  }
  /// this += x * other
  void add(float x, const Pack& other) {
    for (int i = 0; i < eights; ++i) eight[i] += x * other.eight[i];
    if constexpr (has_four) four += x * other.four;
  }
  Pack times(float x) const {
    Pack out;
    out.add(x, *this);
    return out;
  }
  float square_sum() const {
    Eight squares = eight[0] * eight[0];
    for (int i = 1; i < eights; ++i) squares += eight[i] * eight[i];
    float out = sum(squares);
    if constexpr (has_four) out += sum(four * four);
    return out;
  }
};

}  // namespace loops
