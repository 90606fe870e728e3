// Four and eight floats at once, for the loops of samplers (sampler_loops.h, relation_loops.h): what is written with
// them is compiled for every instruction set (core/cpu.h).
#pragma once

#include <cstring>

namespace gradus {

using Four = float __attribute__((vector_size(16)));
using Eight = float __attribute__((vector_size(32)));

// A vector wherever it lies in memory.
template <class V>
struct [[gnu::packed, gnu::may_alias]] Unaligned {
  V v;
};
[[gnu::always_inline]] inline const auto& four(const float* at) {
  return *reinterpret_cast<const Unaligned<Four>*>(at);
}
[[gnu::always_inline]] inline const auto& eight(const float* at) {
  return *reinterpret_cast<const Unaligned<Eight>*>(at);
}
template <class V>
[[gnu::always_inline]] inline void store(float* to, const V& v) {
  std::memcpy(to, &v, sizeof v);
}

[[gnu::always_inline]] inline float sum(const Four& v) {
  const Four pair = v + __builtin_shufflevector(v, v, 2, 3, 0, 1);
  return pair[0] + pair[1];
}
[[gnu::always_inline]] inline float sum(const Eight& v) {
  return sum(Four(__builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7)));
}

// The sums of four vectors, at once.
[[gnu::always_inline]] inline Four sums(const Eight& a, const Eight& b, const Eight& c, const Eight& d) {
  const Eight ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13) +
                   __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  const Eight cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13) +
                   __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  const Eight low = __builtin_shufflevector(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13),
              high = __builtin_shufflevector(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
  const Eight both = low + high;
  return Four(__builtin_shufflevector(both, both, 0, 1, 2, 3)) + Four(__builtin_shufflevector(both, both, 4, 5, 6, 7));
}

}  // namespace gradus
