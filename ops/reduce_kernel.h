// The kernel behind every reduction: any axes of a dense tensor, one associative function. Each sum runs in
// lanes (eight where it is short, else sixteen or more) over blocks of 1024, and the blocks are combined in a wider
// type, so that float32 sums of millions are right to rounding; block bounds and lanes depend on the shape alone, so
// the bits depend neither on threads nor on the machine's vector instructions.
#pragma once

#include <gradus/core/cpu.h>
#include <gradus/core/graph/op.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace gradus {

template <class T>
struct Sum {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;
  static constexpr Wide start = 0;
  template <class W>
  static W combine(W a, W b) {
    if constexpr (std::is_integral_v<W>) {  // wraps around, without undefined behaviour
      using U = std::make_unsigned_t<W>;
      return static_cast<W>(static_cast<U>(a) + static_cast<U>(b));
    } else {
      return a + b;
    }
  }
  template <class V>  // vectors of floating numbers; by reference, for not every caller's ABI has a place for a vector
  [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) {
    a += b;
  }
};

template <class T>
struct Product {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;
  static constexpr Wide start = 1;
  template <class W>
  static W combine(W a, W b) {
    if constexpr (std::is_integral_v<W>) {
      using U = std::make_unsigned_t<W>;
      return static_cast<W>(static_cast<U>(a) * static_cast<U>(b));
    } else {
      return a * b;
    }
  }
};

template <class T>
struct Greatest {
  using Wide = T;
  static constexpr T start =
      std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  static T combine(T a, T b) { return a > b || a != a ? a : b; }  // NaN wins
  template <class V>
  [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) {
    a = ((a > b) | (a != a)) ? a : b;
  }
};

template <class T>
struct Least {
  using Wide = T;
  static constexpr T start =
      std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  static T combine(T a, T b) { return a < b || a != a ? a : b; }
  template <class V>
  [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) {
    a = ((a < b) | (a != a)) ? a : b;
  }
};

struct Either {
  using Wide = bool;
  static constexpr bool start = false;
  static bool combine(bool a, bool b) { return a || b; }
};

struct Both {
  using Wide = bool;
  static constexpr bool start = true;
  static bool combine(bool a, bool b) { return a && b; }
};

namespace detail {

constexpr std::int64_t reduce_block = 1024;
constexpr std::int64_t reduce_chunk = 16384;  // elements a thread takes at a time

// Whether the elements of a vector can be folded as one number is.
template <class F, class T>
inline constexpr bool folds_vectors = std::is_floating_point_v<T> &&
                                      (std::is_same_v<F, Sum<T>> || std::is_same_v<F, Greatest<T>> ||
                                       std::is_same_v<F, Least<T>>);

/// Eight and more contiguous elements in eight lanes, and these to four: l and l + 4.
template <class F, class T>
struct ReduceFew {
  using Wide = typename F::Wide;
  using Eight [[gnu::vector_size(8 * sizeof(T))]] = T;
  using WideEight [[gnu::vector_size(8 * sizeof(Wide))]] = Wide;
  using Four [[gnu::vector_size(4 * sizeof(Wide))]] = Wide;

  [[gnu::always_inline]] static void run(const T* x, std::int64_t n, Four& to) {
    Eight lane;
    std::memcpy(&lane, x, sizeof lane);
    for (std::int64_t j = 8; j + 8 <= n; j += 8) {
      Eight more;
      std::memcpy(&more, x + j, sizeof more);
      F::combine_lanes(lane, more);
    }
    const auto wide = __builtin_convertvector(lane, WideEight);
    to = __builtin_shufflevector(wide, wide, 0, 1, 2, 3);
    const Four upper = __builtin_shufflevector(wide, wide, 4, 5, 6, 7);
    F::combine_lanes(to, upper);
  }
};

/// Fewer contiguous elements than ReduceRun has lanes: eight and more in eight lanes, which are combined in pairs;
/// others one after the other.
template <class F, class T>
[[gnu::always_inline]] inline typename F::Wide reduce_few(const T* x, std::int64_t n) {
  using Wide = typename F::Wide;
  Wide total = F::start;
  std::int64_t j = 0;
  if constexpr (folds_vectors<F, T>) {
    if (n >= 8) {
      typename ReduceFew<F, T>::Four lane;
      ReduceFew<F, T>::run(x, n, lane);
      total = F::combine(F::combine(Wide(lane[0]), Wide(lane[2])), F::combine(Wide(lane[1]), Wide(lane[3])));
      j = n - n % 8;
    }
  }
  for (; j < n; ++j) total = F::combine(total, static_cast<Wide>(x[j]));
  return total;
}

/// Four rows of x [4, n], n at least 8, each as reduce_few does it: what is left of the lanes of all is combined at
/// once.
template <class F, class T>
[[gnu::always_inline]] inline void reduce_four(const T* x, std::int64_t n, typename F::Wide* total) {
  using Few = ReduceFew<F, T>;
  using Wide = typename F::Wide;
  using Four = typename Few::Four;
  Four a, b, c, d;
  Few::run(x, n, a);
  Few::run(x + n, n, b);
  Few::run(x + 2 * n, n, c);
  Few::run(x + 3 * n, n, d);
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
  std::memcpy(total, &all, sizeof all);
}

/// A run of n contiguous elements to one.
template <class F, class T>
struct ReduceRun {
  using Wide = typename F::Wide;
  static constexpr bool gains_from_avx512 = true;
  static constexpr std::int64_t lanes = sizeof(T) == 4 ? 32 : 16;
  [[gnu::always_inline]] static Wide run(const T* x, std::int64_t n) {
    Wide total = F::start;
    for (std::int64_t first = 0; first < n; first += reduce_block) {
      const std::int64_t count = std::min(reduce_block, n - first);
      const T* b = x + first;
      if (count < lanes) {
        total = F::combine(total, reduce_few<F, T>(b, count));
        continue;
      }
      std::array<T, lanes> lane;
      std::copy_n(b, lanes, lane.begin());
      std::int64_t j = lanes;
      for (; j + lanes <= count; j += lanes)
        for (std::size_t l = 0; l < lanes; ++l) lane[l] = F::combine(lane[l], b[j + static_cast<std::int64_t>(l)]);
      // The lanes are combined in pairs, which do not wait for one another.
      std::array<Wide, lanes> wide;
      for (std::size_t l = 0; l < lanes; ++l) wide[l] = static_cast<Wide>(lane[l]);
      for (std::size_t half = lanes / 2; half > 0; half /= 2)
        for (std::size_t l = 0; l < half; ++l) wide[l] = F::combine(wide[l], wide[l + half]);
      Wide block = wide[0];
      for (; j < count; ++j) block = F::combine(block, static_cast<Wide>(b[j]));
      total = F::combine(total, block);
    }
    return total;
  }
};

/// Each of the short rows [first, last) of x [rows, n] to one, as ReduceRun does it: n is less than its lanes. A sum
/// waits for the number before; those of several rows do not wait for one another.
template <class F, class T>
struct ReduceShortRows {
  using Wide = typename F::Wide;
  [[gnu::always_inline]] static void run(const T* x, std::int64_t first, std::int64_t last, std::int64_t n,
                                         Wide* total) {
    constexpr std::int64_t rows = 8;
    std::int64_t row = first;
    if constexpr (folds_vectors<F, T>) {
      if (n >= 8) {
        for (; row + 4 <= last; row += 4, total += 4) reduce_four<F, T>(x + row * n, n, total);
        for (; row < last; ++row) *total++ = reduce_few<F, T>(x + row * n, n);
        return;
      }
    }
    for (; row + rows <= last; row += rows, total += rows) {
      std::array<Wide, rows> sum;
      sum.fill(F::start);
      const T* b = x + row * n;
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t r = 0; r < rows; ++r) {
          Wide& s = sum[static_cast<std::size_t>(r)];
          s = F::combine(s, static_cast<Wide>(b[r * n + j]));
        }
      std::copy_n(sum.begin(), rows, total);
    }
    for (; row < last; ++row) *total++ = ReduceRun<F, T>::run(x + row * n, n);
  }
};

/// Rows [first, last) of x [rows, inner] into total [inner].
template <class F, class T>
struct ReduceRows {
  using Wide = typename F::Wide;
  [[gnu::always_inline]] static void run(const T* x, std::int64_t first, std::int64_t last, std::int64_t inner,
                                         Wide* total) {
    constexpr std::int64_t width = 256;  // columns at a time, so that the partial row stays in L1
    constexpr std::int64_t depth = 32;   // rows added in T before they go to Wide
    std::fill_n(total, inner, static_cast<Wide>(F::start));
    for (std::int64_t column = 0; column < inner; column += width) {
      const std::int64_t count = std::min(width, inner - column);
      for (std::int64_t row = first; row < last; row += depth) {
        std::array<T, width> part;
        std::copy_n(x + row * inner + column, count, part.begin());
        for (std::int64_t r = row + 1; r < std::min(row + depth, last); ++r) {
          const T* b = x + r * inner + column;
          for (std::int64_t j = 0; j < count; ++j) {
            T& p = part[static_cast<std::size_t>(j)];
            p = F::combine(p, b[j]);
          }
        }
        for (std::int64_t j = 0; j < count; ++j) {
          Wide& t = total[column + j];
          t = F::combine(t, static_cast<Wide>(part[static_cast<std::size_t>(j)]));
        }
      }
    }
  }
};

/// Body::run for this machine, where that is worth its compile time.
template <class Body, class F, class T, class... Args>
auto reduce_here(Args... args) {
  if constexpr (folds_vectors<F, T>) {
    return compiled_here<Body, Args...>()(args...);
  }
  return compiled_for<Isa::portable, Body, Args...>()(args...);
}

template <class F, class T>
typename F::Wide reduce_run(const T* x, std::int64_t n) {
  return reduce_here<ReduceRun<F, T>, F, T>(x, n);
}

template <class F, class T>
void reduce_short_rows(const T* x, std::int64_t first, std::int64_t last, std::int64_t n, typename F::Wide* total) {
  reduce_here<ReduceShortRows<F, T>, F, T>(x, first, last, n, total);
}

template <class F, class T>
void reduce_rows(const T* x, std::int64_t first, std::int64_t last, std::int64_t inner, typename F::Wide* total) {
  reduce_here<ReduceRows<F, T>, F, T>(x, first, last, inner, total);
}

/// x [outer, reduced, inner] -> y [outer, inner], each result times `scale`. `partial` has room for
/// partial_room(...) numbers.
template <class F, class T>
void reduce_middle(Workers& workers, const T* x, T* y, std::int64_t outer, std::int64_t reduced, std::int64_t inner,
                   double scale, typename F::Wide* partial, std::int64_t chunk_rows) {
  using Wide = typename F::Wide;
  const auto finish = [scale](Wide value) {
    if (scale == 1) return static_cast<T>(value);
    return static_cast<T>(static_cast<double>(value) * scale);
  };
  const std::int64_t chunks = (reduced + chunk_rows - 1) / chunk_rows;
  if (inner == 1 && chunks <= 1) {
    const std::int64_t outputs = std::max<std::int64_t>(1, reduce_chunk / std::max<std::int64_t>(1, reduced));
    workers.for_each(outer, outputs, [&](std::int64_t first, std::int64_t last) {
      if (reduced >= ReduceRun<F, T>::lanes) {
        for (std::int64_t o = first; o < last; ++o) y[o] = finish(reduce_run<F>(x + o * reduced, reduced));
        return;
      }
      std::array<Wide, 256> total;
      for (std::int64_t o = first; o < last; o += std::ssize(total)) {
        const std::int64_t count = std::min<std::int64_t>(std::ssize(total), last - o);
        reduce_short_rows<F>(x, o, o + count, reduced, total.data());
        std::transform(total.begin(), total.begin() + count, y + o, finish);
      }
    });
    return;
  }
  const std::int64_t pieces = std::max<std::int64_t>(1, chunks);
  for (std::int64_t o = 0; o < outer; ++o) {
    const T* from = x + o * reduced * inner;
    workers.for_each(pieces, 1, [&](std::int64_t piece, std::int64_t) {
      const std::int64_t first = piece * chunk_rows;
      const std::int64_t last = std::min(first + chunk_rows, reduced);
      Wide* to = partial + piece * inner;
      if (inner == 1) {
        *to = reduce_run<F>(from + first, last - first);
      } else {
        reduce_rows<F>(from, first, last, inner, to);
      }
    });
    for (std::int64_t j = 0; j < inner; ++j) {
      Wide total = partial[j];
      for (std::int64_t piece = 1; piece < pieces; ++piece) total = F::combine(total, partial[piece * inner + j]);
      y[o * inner + j] = finish(total);
    }
  }
}

/// One pass over x [outer, middle, inner], which reduces its middle axis, `chunk_rows` rows to a piece.
struct ReducePass {
  std::int64_t outer, middle, inner, chunk_rows;
};

/// The passes that reduce some axes of a tensor, the last axes first, and the room they need, in elements: for what
/// pieces of one pass sum, and for the results of all passes but the final one.
struct ReducePasses {
  std::array<ReducePass, Shape::max_rank> pass;
  std::size_t count = 0;
  std::int64_t partial_room = 1;
  std::int64_t between = 0;
};

/// `reduced` has a bit for each axis.
ReducePasses reduce_passes(const Shape& shape, unsigned reduced);

}  // namespace detail

/// Reduces the axes of `reduced` (bits) of x [shape] into y, each result times `scale` (floating types only).
template <class F, class T>
void reduce_dense(Call& call, const T* x, const Shape& shape, unsigned reduced, T* y, double scale = 1) {
  using Wide = typename F::Wide;
  const detail::ReducePasses passes = detail::reduce_passes(shape, reduced);
  const std::int64_t partial_bytes = passes.partial_room * static_cast<std::int64_t>(sizeof(Wide));
  std::byte* memory = call.scratch<std::byte>(partial_bytes + passes.between * static_cast<std::int64_t>(sizeof(T)));
  T* next = reinterpret_cast<T*>(memory + partial_bytes);
  for (std::size_t i = 0; i < passes.count; ++i) {
    const detail::ReducePass& pass = passes.pass[i];
    const bool last = i + 1 == passes.count;
    T* const to = last ? y : next;
    detail::reduce_middle<F>(call.workers(), x, to, pass.outer, pass.middle, pass.inner, last ? scale : 1,
                             reinterpret_cast<Wide*>(memory), pass.chunk_rows);
    x = to;
    next += pass.outer * pass.inner;
  }
}

}  // namespace gradus
