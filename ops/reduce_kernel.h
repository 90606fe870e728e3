// The kernel behind every reduction: any axes of a dense tensor, one associative function. Each sum runs in
// lanes (eight where it is short, else sixteen or more) over blocks of 1024, and the blocks are combined in a wider
// type, so that float32 sums of millions are right to rounding; block bounds and lanes depend on the shape alone, so
// the bits depend neither on threads nor on the machine's vector instructions.
#pragma once

#include <gradus/core/cpu.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/kernel/runs.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace gradus {

template <class T>
struct Sum {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, T>;
  static constexpr Wide start = 0;
  static constexpr bool in_lanes = std::is_floating_point_v<T>;
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
  static constexpr bool in_lanes = false;
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

/// Which end of an order.
enum class Extreme : std::uint8_t { max, min };

template <class T>
struct Max {
  using Wide = T;
  static constexpr T start =
      std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  static constexpr bool in_lanes = std::is_floating_point_v<T>;
  static T combine(T a, T b) { return a > b || a != a ? a : b; }  // NaN wins
  template <class V>
  [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) {
    a = ((a > b) | (a != a)) ? a : b;
  }
};

template <class T>
struct Min {
  using Wide = T;
  static constexpr T start =
      std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  static constexpr bool in_lanes = std::is_floating_point_v<T>;
  static T combine(T a, T b) { return a < b || a != a ? a : b; }
  template <class V>
  [[gnu::always_inline]] static void combine_lanes(V& a, const V& b) {
    a = ((a < b) | (a != a)) ? a : b;
  }
};

struct Either {
  using Wide = bool;
  static constexpr bool start = false;
  static constexpr bool in_lanes = false;
  static bool combine(bool a, bool b) { return a || b; }
};

struct Both {
  using Wide = bool;
  static constexpr bool start = true;
  static constexpr bool in_lanes = false;
  static bool combine(bool a, bool b) { return a && b; }
};

namespace detail {

constexpr std::int64_t reduce_chunk = 16384;  // elements a thread takes at a time

/// A run of n contiguous elements to one (core/kernel/runs.h).
template <class F, class T>
struct ReduceRun {
  static constexpr bool gains_from_avx512 = true;
  [[gnu::always_inline]] static typename F::Wide run(const T* x, std::int64_t n) { return runs::run<F, T>(x, n); }
};

/// Each of the rows of x [count, n], which are shorter than there are lanes, likewise.
template <class F, class T>
struct ReduceShortRows {
  [[gnu::always_inline]] static void run(const T* x, std::int64_t count, std::int64_t n, typename F::Wide* total) {
    runs::rows<F, T>(x, count, n, total);
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
  if constexpr (F::in_lanes) {
    return compiled_here<Body, Args...>()(args...);
  }
  return compiled_for<Isa::portable, Body, Args...>()(args...);
}

template <class F, class T>
typename F::Wide reduce_run(const T* x, std::int64_t n) {
  return reduce_here<ReduceRun<F, T>, F, T>(x, n);
}

template <class F, class T>
void reduce_short_rows(const T* x, std::int64_t count, std::int64_t n, typename F::Wide* total) {
  reduce_here<ReduceShortRows<F, T>, F, T>(x, count, n, total);
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
      if (reduced >= runs::lanes<T>) {
        for (std::int64_t o = first; o < last; ++o) y[o] = finish(reduce_run<F>(x + o * reduced, reduced));
        return;
      }
      std::array<Wide, 256> total;
      for (std::int64_t o = first; o < last; o += std::ssize(total)) {
        const std::int64_t count = std::min<std::int64_t>(std::ssize(total), last - o);
        reduce_short_rows<F>(x + o * reduced, count, reduced, total.data());
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
