// A row of a few numbers, as of a table of factors, in vector registers. The compilers' vector types stand for the loop
// over the numbers, because neither compiler keeps an array that it vectorises in registers.
#pragma once

#include <gradus/core/tensor/dtype.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace gradus {

namespace detail {

// Vector types of 64, 32 and 16 bytes, and of two numbers.
template <class T>
struct Vectors;
template <>
struct Vectors<float> {
  using Widest = float __attribute__((vector_size(64)));
  using Wide = float __attribute__((vector_size(32)));
  using Half = float __attribute__((vector_size(16)));
  using Pair = float __attribute__((vector_size(8)));
};
template <>
struct Vectors<double> {
  using Widest = double __attribute__((vector_size(64)));
  using Wide = double __attribute__((vector_size(32)));
  using Half = double __attribute__((vector_size(16)));
  using Pair = Half;
};

// A vector wherever it lies in memory: a struct, because clang forgets the alignment of a type that went through
// templates.
template <class V>
struct [[gnu::packed, gnu::may_alias]] Unaligned {
  V v;
};

}  // namespace detail

/// A row of `width` numbers as `across` vectors, of which the last is a Last; V may be T itself. The last one ends
/// where the row ends, and so may overlap the one before it: both then hold the same numbers, and nothing beyond the
/// row is touched.
template <class T, class V, int across, class Last = V>
struct SimdRow {
  // NOLINTBEGIN(bugprone-sizeof-expression): both may be the same type
  static constexpr std::int64_t lanes = sizeof(V) / sizeof(T);
  static constexpr std::int64_t last_lanes = sizeof(Last) / sizeof(T);
  // NOLINTEND(bugprone-sizeof-expression)

  V v[across > 1 ? across - 1 : 1] = {};
  Last last = {};

  /// `width` where the type leaves a choice.
  [[gnu::always_inline]] static constexpr std::int64_t width_of(std::int64_t width) {
    return lanes * across == 1 ? 1 : width;
  }
  [[gnu::always_inline]] static const detail::Unaligned<V>& part(const T* row, int i) {
    return *reinterpret_cast<const detail::Unaligned<V>*>(row + i * lanes);
  }
  [[gnu::always_inline]] static const detail::Unaligned<Last>& end(const T* row, std::int64_t width) {
    return *reinterpret_cast<const detail::Unaligned<Last>*>(row + width - last_lanes);
  }

  [[gnu::always_inline]] void load(const T* from, std::int64_t width) {
    for (int i = 0; i < across - 1; ++i) v[i] = part(from, i).v;
    last = end(from, width).v;
  }
  [[gnu::always_inline]] void store(T* to, std::int64_t width) const {
    for (int i = 0; i < across - 1; ++i) reinterpret_cast<detail::Unaligned<V>*>(to + i * lanes)->v = v[i];
    reinterpret_cast<detail::Unaligned<Last>*>(to + width - last_lanes)->v = last;
  }
  /// this = x b
  [[gnu::always_inline]] void set(T x, const SimdRow& b) {
    for (int i = 0; i < across - 1; ++i) v[i] = x * b.v[i];
    last = x * b.last;
  }
  /// this += x b
  [[gnu::always_inline]] void add(T x, const SimdRow& b) {
    for (int i = 0; i < across - 1; ++i) v[i] += x * b.v[i];
    last += x * b.last;
  }
  [[gnu::always_inline]] void add(T x, const T* b, std::int64_t width) {
    for (int i = 0; i < across - 1; ++i) v[i] += x * part(b, i).v;
    last += x * end(b, width).v;
  }
  [[gnu::always_inline]] void add(const T* from, std::int64_t width) {
    for (int i = 0; i < across - 1; ++i) v[i] += part(from, i).v;
    last += end(from, width).v;
  }
};

/// Inner products of rows, as a SimdRow would hold them: halves are added to halves.
template <class L>
class SimdRowProduct;
template <class T, class V, int across, class Last>
class SimdRowProduct<SimdRow<T, V, across, Last>> {
  using L = SimdRow<T, V, across, Last>;

 public:
  explicit SimdRowProduct(std::int64_t width) {
    if constexpr (L::last_lanes > 1)
      for (std::int64_t l = 0; l < L::last_lanes; ++l)
        counts_[l] = l < (across - 1) * L::lanes + L::last_lanes - width ? 0 : -1;
  }

  [[gnu::always_inline]] T of(const T* a, const T* b, std::int64_t width) const {
    Last last = L::end(a, width).v * L::end(b, width).v;
    if constexpr (L::last_lanes > 1) last = reinterpret_cast<Last>(reinterpret_cast<Bits>(last) & counts_);
    if constexpr (across == 1) return folded(last);
    V sum = {};
    for (int i = 0; i < across - 1; ++i) sum += L::part(a, i).v * L::part(b, i).v;
    if constexpr (L::lanes == L::last_lanes) {
      return folded(sum + last);
    } else {
      Last halves[2];
      std::memcpy(halves, &sum, sizeof halves);
      return folded(last + (halves[0] + halves[1]));
    }
  }

 private:
  using Bits = decltype(Last{} == Last{});

  [[gnu::always_inline]] static T folded(const Last& x) {
    std::array<T, L::last_lanes> lane;
    std::memcpy(lane.data(), &x, sizeof x);
    for (std::size_t half = lane.size() / 2; half > 0; half /= 2)
      for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
    return lane[0];
  }

  Bits counts_ = {};  // all bits of the lanes of the last vector that no vector before it holds
};

namespace detail {

template <class T, class Last, class F>
void by_vectors(std::int64_t across, F&& f) {
  using Wide = typename Vectors<T>::Wide;
  switch (across) {
    case 1: return f(TypeTag<SimdRow<T, Wide, 1, Last>>{});
    case 2: return f(TypeTag<SimdRow<T, Wide, 2, Last>>{});
    case 3: return f(TypeTag<SimdRow<T, Wide, 3, Last>>{});
    case 4: return f(TypeTag<SimdRow<T, Wide, 4, Last>>{});
    case 5: return f(TypeTag<SimdRow<T, Wide, 5, Last>>{});
    case 6: return f(TypeTag<SimdRow<T, Wide, 6, Last>>{});
    case 7: return f(TypeTag<SimdRow<T, Wide, 7, Last>>{});
    case 8: return f(TypeTag<SimdRow<T, Wide, 8, Last>>{});
    default: return f(TypeTag<void>{});
  }
}

}  // namespace detail

/// Calls f(TypeTag<L>) with the SimdRow for rows of k numbers, f(TypeTag<void>) if there is none: k is 0, or more than
/// eight wide vectors hold.
template <class T, class F>
void by_simd_row(std::int64_t k, F&& f) {
  using Wide = typename detail::Vectors<T>::Wide;
  using Half = typename detail::Vectors<T>::Half;
  using Pair = typename detail::Vectors<T>::Pair;
  constexpr std::int64_t wide = sizeof(Wide) / sizeof(T);
  constexpr std::int64_t half = wide / 2;
  if (k < 1) return f(TypeTag<void>{});
  if (k == 1) return f(TypeTag<SimdRow<T, T, 1>>{});
  if (k == 2) return f(TypeTag<SimdRow<T, Pair, 1>>{});
  if (k == 3) return f(TypeTag<SimdRow<T, Pair, 2>>{});
  if constexpr (half > 2)
    if (k < wide) return k == half ? f(TypeTag<SimdRow<T, Half, 1>>{}) : f(TypeTag<SimdRow<T, Half, 2>>{});
  const std::int64_t rest = k % wide;
  const std::int64_t across = k / wide + (rest > 0 ? 1 : 0);
  return rest > 0 && rest <= half ? detail::by_vectors<T, Half>(across, f) : detail::by_vectors<T, Wide>(across, f);
}

}  // namespace gradus
