#include <gradus/ops/narrow_gemm.h>

#include <gradus/ops/simd_row.h>

#include <algorithm>

namespace gradus {

namespace {

using std::int64_t;

constexpr int64_t l1_share = 16 << 10;  // bytes of the L1 cache for what is read again and again

// What one call of a kernel computes: c [rows, width] = a b, or += where `add`, for b [steps, width]. `a` is [rows,
// steps], or stored [steps, rows]; its stored rows are `stride` elements apart, those of b and c are n.
template <class T>
struct Block {
  int64_t rows, width, steps;
  const T* a;
  int64_t stride;
  const T* b;
  T* c;
  int64_t n;
  bool add;
};

// a b: `held` rows of the result stay in registers, and each row of b that is read serves all of them.
template <class T, class V, int across, int held>
struct RowsTimes {
  using Row = SimdRow<T, V, across>;

  // Rows first to first + count. Where count < held, the last one is computed and stored several times.
  [[gnu::always_inline]] static void group(const Block<T>& block, int64_t first, int64_t count) {
    const T* a[held];
    T* c[held];
    for (int r = 0; r < held; ++r) {
      const int64_t row = first + std::min<int64_t>(r, count - 1);
      a[r] = block.a + row * block.stride;
      c[r] = block.c + row * block.n;
    }
    Row sum[held];
    const T* b = block.b;
    for (int64_t l = 0; l < block.steps; ++l, b += block.n) {
      Row line;
      line.load(b, block.width);
      for (int r = 0; r < held; ++r) sum[r].add(a[r][l], line);
    }
    // All is read before anything is written, for what is stored several times.
    if (block.add)
      for (int r = 0; r < held; ++r) sum[r].add(c[r], block.width);
    for (int r = 0; r < held; ++r) sum[r].store(c[r], block.width);
  }

  [[gnu::always_inline]] static void run(const Block<T>* given) {
    constexpr int fewer = held == 6 ? 4 : held / 2;
    const Block<T> block = *given;
    int64_t row = 0;
    for (; row + held <= block.rows; row += held) group(block, row, held);
    for (; row < block.rows; row += fewer)
      RowsTimes<T, V, across, fewer>::group(block, row, std::min<int64_t>(fewer, block.rows - row));
  }
};

// a^T b: `held` rows of b stay in registers while as many stored rows of a are read side by side; each row of the
// result is met once for all of them.
template <class T, class V, int across, int held>
struct ColumnsTimes {
  using Row = SimdRow<T, V, across>;

  [[gnu::always_inline]] static void group(const Block<T>& block, int64_t step) {
    Row b[held];
    const T* a[held];
    for (int r = 0; r < held; ++r) {
      b[r].load(block.b + (step + r) * block.n, block.width);
      a[r] = block.a + (step + r) * block.stride;
    }
    T* c = block.c;
    for (int64_t j = 0; j < block.rows; ++j, c += block.n) {
      Row sum;
      sum.set(a[0][j], b[0]);
      for (int r = 1; r < held; ++r) sum.add(a[r][j], b[r]);
      sum.add(c, block.width);
      sum.store(c, block.width);
    }
  }

  [[gnu::always_inline]] static void from(const Block<T>& block, int64_t step) {
    for (; step + held <= block.steps; step += held) group(block, step);
    if constexpr (held > 1) ColumnsTimes<T, V, across, held == 6 ? 4 : held / 2>::from(block, step);
  }
  [[gnu::always_inline]] static void run(const Block<T>* given) {
    const Block<T> block = *given;
    if (!block.add)
      for (int64_t j = 0; j < block.rows; ++j) Row().store(block.c + j * block.n, block.width);
    from(block, 0);
  }
};

// a b for n = 1: inner products of four rows of a with b.
template <class T>
struct RowsTimesColumn {
  using Row = SimdRow<T, typename detail::Vectors<T>::Wide, 1>;
  static constexpr int held = 4;

  [[gnu::always_inline]] static void run(const Block<T>* block) {
    for (int64_t row = 0; row < block->rows; row += held) {
      const int64_t count = std::min<int64_t>(held, block->rows - row);
      const T* a[held];
      for (int r = 0; r < held; ++r) a[r] = block->a + (row + std::min<int64_t>(r, count - 1)) * block->stride;
      Row sums[held];
      int64_t l = 0;
      for (; l + Row::lanes <= block->steps; l += Row::lanes) {
        Row b, x;
        b.load(block->b + l, Row::lanes);
        for (int r = 0; r < held; ++r) {
          x.load(a[r] + l, Row::lanes);
          sums[r].last += x.last * b.last;
        }
      }
      for (int r = 0; r < held; ++r) {
        T sum = 0;
        for (int64_t rest = l; rest < block->steps; ++rest) sum += a[r][rest] * block->b[rest];
        for (int64_t i = 0; i < Row::lanes / 2; ++i) sum += sums[r].last[i] + sums[r].last[i + Row::lanes / 2];
        if (r < count) block->c[row + r] = block->add ? block->c[row + r] + sum : sum;
      }
    }
  }
};

// a^T b for n = 1: adds multiples of `held` stored rows of a at once.
template <class T, int held>
struct ColumnsTimesColumn {
  using Row = SimdRow<T, typename detail::Vectors<T>::Wide, 1>;

  [[gnu::always_inline]] static void from(const Block<T>& block, int64_t step) {
    for (; step + held <= block.steps; step += held) {
      const T* const a = block.a + step * block.stride;
      const T* const b = block.b + step;
      int64_t j = 0;
      for (; j + Row::lanes <= block.rows; j += Row::lanes) {
        Row sum, x;
        for (int r = 0; r < held; ++r) {
          x.load(a + r * block.stride + j, Row::lanes);
          sum.add(b[r], x);
        }
        sum.add(block.c + j, Row::lanes);
        sum.store(block.c + j, Row::lanes);
      }
      for (; j < block.rows; ++j) {
        T sum = 0;
        for (int r = 0; r < held; ++r) sum += b[r] * a[r * block.stride + j];
        block.c[j] += sum;
      }
    }
    if constexpr (held > 1) ColumnsTimesColumn<T, 1>::from(block, step);
  }
  [[gnu::always_inline]] static void run(const Block<T>* given) {
    const Block<T> block = *given;
    if (!block.add) std::fill_n(block.c, block.rows, T{});
    from(block, 0);
  }
};

template <class T>
using Kernel = void (*)(const Block<T>*);

// At most three vectors a row: with as many rows as the registers then hold, less is read than multiplied.
template <Isa isa, class T, class V>
Kernel<T> of_vectors(int64_t across, bool transpose_a) {
  constexpr bool many = isa == Isa::avx512;  // registers: 32, else 16
  constexpr Kernel<T> rows[] = {compiled_for<isa, RowsTimes<T, V, 1, 8>, const Block<T>*>(),
                                compiled_for<isa, RowsTimes<T, V, 2, many ? 8 : 6>, const Block<T>*>(),
                                compiled_for<isa, RowsTimes<T, V, 3, many ? 8 : 4>, const Block<T>*>()};
  constexpr Kernel<T> columns[] = {compiled_for<isa, ColumnsTimes<T, V, 1, 8>, const Block<T>*>(),
                                   compiled_for<isa, ColumnsTimes<T, V, 2, many ? 8 : 6>, const Block<T>*>(),
                                   compiled_for<isa, ColumnsTimes<T, V, 3, many ? 8 : 4>, const Block<T>*>()};
  return transpose_a ? columns[across - 1] : rows[across - 1];
}

// The kernel for the columns left of n, and how many of them it takes.
template <Isa isa, class T>
Kernel<T> kernel(int64_t n, int64_t left, bool transpose_a, int64_t& width) {
  using Vectors = detail::Vectors<T>;
  constexpr int64_t half_lanes = 16 / sizeof(T);
  constexpr Isa narrow = isa == Isa::avx512 ? Isa::avx2 : isa;  // where rows are shorter than the widest vector
  width = left;
  if (n == 1)
    return transpose_a ? compiled_for<narrow, ColumnsTimesColumn<T, 8>, const Block<T>*>()
                       : compiled_for<narrow, RowsTimesColumn<T>, const Block<T>*>();
  const int64_t most_lanes = isa == Isa::avx512 ? 4 * half_lanes : isa == Isa::avx2 ? 2 * half_lanes : half_lanes;
  int64_t lanes = most_lanes;
  while (lanes > half_lanes && n < lanes) lanes /= 2;
  if (n < 4) lanes = 2;
  const int64_t vectors = (left + lanes - 1) / lanes;
  const int64_t across = vectors == 4 ? 2 : std::min<int64_t>(3, vectors);
  width = std::min(left, across * lanes);
  if constexpr (isa == Isa::avx512)
    if (lanes == 4 * half_lanes) return of_vectors<isa, T, typename Vectors::Widest>(across, transpose_a);
  if constexpr (isa != Isa::portable)
    if (lanes == 2 * half_lanes) return of_vectors<narrow, T, typename Vectors::Wide>(across, transpose_a);
  if (lanes == 2) return of_vectors<narrow, T, typename Vectors::Pair>(across, transpose_a);
  return of_vectors<narrow, T, typename Vectors::Half>(across, transpose_a);
}

}  // namespace

template <class T>
void narrow_gemm(Isa isa, int64_t m, int64_t n, int64_t k, const T* a, int64_t stride, bool transpose_a, const T* b,
                 T* c, bool add) {
  if (k == 0 && !add) std::fill_n(c, m * n, T{});
  // What is met again and again stays in L1: for a b, a block of b; for a^T b, one of c. A long sum loses digits: so no
  // block has more than some hundreds of steps, and of a^T b, where a sum grows in c, each block but the first has sums
  // of its own.
  constexpr int64_t size = l1_share / sizeof(T);
  const int64_t rows = transpose_a ? size / n : 48;
  const int64_t steps = transpose_a ? 512 : std::min<int64_t>(n == 1 ? 4096 : 256, size / n);
  T sums[size];
  for (int64_t row = 0; row < m; row += rows)
    for (int64_t step = 0; step < k; step += steps) {
      const int64_t count = std::min(rows, m - row);
      const bool apart = transpose_a && step > 0;
      T* const result = c + row * n;
      T* const to = apart ? sums : result;
      for (int64_t column = 0, width = 0; column < n; column += width) {
        const Kernel<T> run = isa == Isa::avx512 ? kernel<Isa::avx512, T>(n, n - column, transpose_a, width)
                              : isa == Isa::avx2 ? kernel<Isa::avx2, T>(n, n - column, transpose_a, width)
                                                 : kernel<Isa::portable, T>(n, n - column, transpose_a, width);
        const T* const from = a + (transpose_a ? row + step * stride : row * stride + step);
        const Block<T> block{.rows = count,
                             .width = width,
                             .steps = std::min(steps, k - step),
                             .a = from,
                             .stride = stride,
                             .b = b + step * n + column,
                             .c = to + column,
                             .n = n,
                             .add = !apart && (add || step > 0)};
        run(&block);
      }
      if (apart)
        for (int64_t i = 0; i < count * n; ++i) result[i] += sums[i];
    }
}

template void narrow_gemm(Isa, int64_t, int64_t, int64_t, const float*, int64_t, bool, const float*, float*, bool);
template void narrow_gemm(Isa, int64_t, int64_t, int64_t, const double*, int64_t, bool, const double*, double*, bool);

}  // namespace gradus
