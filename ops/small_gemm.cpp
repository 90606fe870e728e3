#include <gradus/ops/small_gemm.h>

#include <gradus/ops/simd_row.h>
#include <gradus/ops/transposed_block.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

// c = a b, or c += a b where it adds; none of the sizes is 0.
template <class T>
struct SmallProduct {
  std::int64_t m, n, k;
  const T* a;
  std::int64_t a_row, a_step;  // from a row of a to the next, and from a number of it to the next
  const T* b;
  std::int64_t b_row;  // from a row of b to the next
  T* c;
  bool add;
};

template <class Body, class T>
void run(Isa isa, const SmallProduct<T>& p) {
  if (isa == Isa::portable) return compiled_for<Isa::portable, Body, const SmallProduct<T>&>()(p);
  compiled_for<Isa::avx2, Body, const SmallProduct<T>&>()(p);
}

// For rows of b that are whole vectors: of four rows of a at once, two vectors, each element summed in order.
template <class T, class V>
struct RowsTimesVectors {
  static constexpr std::int64_t lanes = sizeof(V) / sizeof(T);
  static constexpr std::int64_t held = 4;

  // Rows by numbers that the compiler knows, so that the sums stay in registers.
  template <std::int64_t r, std::int64_t rows, std::int64_t vectors>
  [[gnu::always_inline]] static void store(const SmallProduct<T>& p, const V (&sum)[rows][vectors], std::int64_t row,
                                           std::int64_t column) {
    if constexpr (r < rows) {
      if (row + r >= p.m) return;
      T* const to = p.c + (row + r) * p.n + column;
      if (!p.add && p.n - column >= vectors * lanes) {
        for (std::int64_t v = 0; v < vectors; ++v) std::memcpy(to + v * lanes, &sum[r][v], sizeof(V));
      } else {
        T numbers[vectors * lanes];
        for (std::int64_t v = 0; v < vectors; ++v) std::memcpy(numbers + v * lanes, &sum[r][v], sizeof(V));
        for (std::int64_t j = 0; j < std::min(vectors * lanes, p.n - column); ++j)
          to[j] = p.add ? to[j] + numbers[j] : numbers[j];
      }
      store<r + 1, rows, vectors>(p, sum, row, column);
    }
  }

  template <std::int64_t rows, std::int64_t vectors>
  [[gnu::always_inline]] static void group(const SmallProduct<T>& p, std::int64_t row, std::int64_t column) {
    V sum[rows][vectors] = {};
    const T* from[rows];
    for (std::int64_t r = 0; r < rows; ++r) from[r] = p.a + std::min(row + r, p.m - 1) * p.a_row;
    const T* line_at = p.b + column;
    std::int64_t step = 0;
    for (std::int64_t l = 0; l < p.k; ++l, line_at += p.b_row, step += p.a_step) {
      V line[vectors];
      for (std::int64_t v = 0; v < vectors; ++v) std::memcpy(&line[v], line_at + v * lanes, sizeof(V));
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t v = 0; v < vectors; ++v) sum[r][v] += from[r][step] * line[v];
    }
    store<0, rows, vectors>(p, sum, row, column);
  }

  template <std::int64_t vectors>
  [[gnu::always_inline]] static void columns(const SmallProduct<T>& p, std::int64_t column) {
    std::int64_t row = 0;
    for (; row + 1 < p.m; row += held) group<held, vectors>(p, row, column);
    if (row < p.m) group<1, vectors>(p, row, column);
  }

  [[gnu::always_inline]] static void run(const SmallProduct<T>& p) {
    std::int64_t column = 0;
    for (; column + lanes < p.n; column += 2 * lanes) columns<2>(p, column);
    if (column < p.n) columns<1>(p, column);
  }
};

template <class T, class V>
void multiply_rows(Isa isa, SmallProduct<T> p, bool transpose_b) {
  constexpr std::int64_t lanes = RowsTimesVectors<T, V>::lanes;
  p.b_row = (p.n + lanes - 1) / lanes * lanes;
  T laid_out[2 *
             small_gemm_most];  // enough: rows of fewer than half a vector are taken as a column, or by shorter ones
  if (transpose_b || p.b_row != p.n) {
    if (transpose_b) transpose_block(p.b, p.k, p.n, p.k, laid_out, p.b_row);
    for (std::int64_t l = 0; l < p.k; ++l) {
      T* const line = laid_out + l * p.b_row;
      if (!transpose_b) std::copy_n(p.b + l * p.n, p.n, line);
      std::fill(line + p.n, line + p.b_row, T{0});
    }
    p.b = laid_out;
  }
  run<RowsTimesVectors<T, V>>(isa, p);
}

// c = a b^T: inner products of rows, by lanes. Four rows of a at once, as each sum waits for its last addition, and
// what is left in the lanes of all four is added together.
template <class T, class V>
struct InnerProducts {
  static constexpr std::size_t lanes = sizeof(V) / sizeof(T);
  static constexpr std::int64_t held = 4;

  // Puts the sums of the lanes of each of four vectors into the first lanes of `sum`: first within halves of a vector,
  // where lanes change places cheaply.
  [[gnu::always_inline]] static void add_lanes(const V (&x)[held], V& sum) {
    if constexpr (lanes == 8) {
      const V pairs[2] = {__builtin_shufflevector(x[0], x[1], 0, 1, 8, 9, 4, 5, 12, 13) +
                              __builtin_shufflevector(x[0], x[1], 2, 3, 10, 11, 6, 7, 14, 15),
                          __builtin_shufflevector(x[2], x[3], 0, 1, 8, 9, 4, 5, 12, 13) +
                              __builtin_shufflevector(x[2], x[3], 2, 3, 10, 11, 6, 7, 14, 15)};
      sum = __builtin_shufflevector(pairs[0], pairs[1], 0, 2, 8, 10, 4, 6, 12, 14) +
            __builtin_shufflevector(pairs[0], pairs[1], 1, 3, 9, 11, 5, 7, 13, 15);
      sum += __builtin_shufflevector(sum, sum, 4, 5, 6, 7, 0, 1, 2, 3);
    } else {
      const V pairs[2] = {
          __builtin_shufflevector(x[0], x[1], 0, 4, 2, 6) + __builtin_shufflevector(x[0], x[1], 1, 5, 3, 7),
          __builtin_shufflevector(x[2], x[3], 0, 4, 2, 6) + __builtin_shufflevector(x[2], x[3], 1, 5, 3, 7)};
      sum = __builtin_shufflevector(pairs[0], pairs[1], 0, 1, 4, 5) +
            __builtin_shufflevector(pairs[0], pairs[1], 2, 3, 6, 7);
    }
  }

  [[gnu::always_inline]] static void run(const SmallProduct<T>& p) {
    const std::int64_t in_lanes = p.k - p.k % static_cast<std::int64_t>(lanes);
    for (std::int64_t row = 0; row < p.m; row += held) {
      const T* from[held];
      for (std::int64_t r = 0; r < held; ++r) from[r] = p.a + std::min(row + r, p.m - 1) * p.k;
      const std::int64_t rows = std::min(held, p.m - row);
      for (std::int64_t column = 0; column < p.n; ++column) {
        const T* const by = p.b + column * p.k;
        V sum[held] = {};
        for (std::int64_t l = 0; l < in_lanes; l += lanes) {
          V line, factor;
          std::memcpy(&factor, by + l, sizeof factor);
          for (std::int64_t r = 0; r < held; ++r) {
            std::memcpy(&line, from[r] + l, sizeof line);
            sum[r] += line * factor;
          }
        }
        V summed;
        add_lanes(sum, summed);
        T* to = p.c + row * p.n + column;
        if (in_lanes == p.k && p.n == 1 && rows == held && !p.add) {
          std::memcpy(to, &summed, held * sizeof(T));
          continue;
        }
        T total[held];
        std::memcpy(total, &summed, sizeof total);
        for (std::int64_t l = in_lanes; l < p.k; ++l)
          for (std::int64_t r = 0; r < held; ++r) total[r] += from[r][l] * by[l];
        for (std::int64_t r = 0; r < rows; ++r, to += p.n) *to = p.add ? *to + total[r] : total[r];
      }
    }
  }
};

}  // namespace

template <class T>
void small_gemm(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a, const T* b,
                bool transpose_b, T* c, bool add) {
  using Vectors = detail::Vectors<T>;
  using Inner = InnerProducts<T, typename Vectors::Wide>;
  if (k == 0) {
    if (!add) std::fill_n(c, m * n, T{0});
    return;
  }
  SmallProduct<T> p{m, n, k, a, transpose_a ? 1 : k, transpose_a ? m : 1, b, n, c, add};
  bool of_rows = (!transpose_a || m == 1) && (transpose_b || n == 1);
  // (a b)^T = b^T a^T, and a column is a row in memory.
  if (n == 1 && !of_rows) {
    p = {1, m, k, b, k, 1, a, m, c, add};
    transpose_b = false;
  } else if (m == 1 && n > 1 && of_rows) {
    p = {n, 1, k, b, k, 1, a, 1, c, add};
  }
  if (of_rows && (p.n == 1 || k >= static_cast<std::int64_t>(Inner::lanes))) {
    run<Inner>(isa, p);
  } else if (p.n <= 32 / static_cast<std::int64_t>(sizeof(T)) / 2) {
    multiply_rows<T, typename Vectors::Half>(isa, p, transpose_b);
  } else {
    multiply_rows<T, typename Vectors::Wide>(isa, p, transpose_b);
  }
}

template void small_gemm(Isa, std::int64_t, std::int64_t, std::int64_t, const float*, bool, const float*, bool, float*,
                         bool);
template void small_gemm(Isa, std::int64_t, std::int64_t, std::int64_t, const double*, bool, const double*, bool,
                         double*, bool);

}  // namespace gradus
