#include <gradus/ops/spmm.h>

#include <gradus/core/cpu.h>
#include <gradus/ops/pack.h>

#include <algorithm>
#include <type_traits>

namespace gradus {

namespace {

constexpr std::int64_t work = 1 << 18;  // multiplications a thread takes at a time: less is not worth waking one

// Outputs a thread takes at a time, when `total` multiplications are spread over `count` outputs.
std::int64_t chunk_of(std::int64_t count, std::int64_t total) {
  const std::int64_t each = std::max<std::int64_t>(1, total / std::max<std::int64_t>(1, count));
  return std::max<std::int64_t>(1, work / each);
}

// y += factor * b
template <class T>
[[gnu::always_inline]] inline void add_multiple(T* __restrict y, T factor, const T* __restrict b, std::int64_t k) {
  for (std::int64_t c = 0; c < k; ++c) y[c] += factor * b[c];
}

// A strip of a csr matrix: row r has the values and places start[r] - start[0] to start[r + 1] - start[0].
template <class T>
struct Rows {
  const std::int64_t* start;
  const Index* place;  // which row of the dense matrix a non-zero meets
  const T* values;     // null where all are 1
  const T* scale;      // of each row; null where there is none

  [[gnu::always_inline]] T value(std::int64_t j) const { return values != nullptr ? values[j] : T{1}; }
};

// The rows [first, last) of x b. With k known to the compiler, a row of y stays in registers.
template <class T, std::int64_t fixed>
struct MultiplyRows {
  [[gnu::always_inline]] static void run(Rows<T> x, const T* b, std::int64_t width, T* y, std::int64_t first,
                                         std::int64_t last) {
    const std::int64_t k = fixed > 0 ? fixed : width;
    for (std::int64_t r = first; r < last; ++r) {
      const std::int64_t end = x.start[r + 1] - x.start[0];
      std::int64_t j = x.start[r] - x.start[0];
      if constexpr (fixed == 1) {
        T sum = 0;
        for (; j < end; ++j) sum += x.value(j) * b[x.place[j]];
        y[r] = sum;
      } else if constexpr (fixed > 0) {
        Pack<T, fixed> row;
        for (; j < end; ++j) row.add(x.value(j), b + x.place[j] * k);
        row.store(y + r * k);
      } else {
        for (std::int64_t c = 0; c < k; ++c) y[r * k + c] = 0;
        for (; j < end; ++j) add_multiple(y + r * k, x.value(j), b + x.place[j] * k, k);
      }
    }
  }
};

// A row of y, of k numbers known to the compiler, that stays in registers.
template <class T, std::int64_t k>
struct HeldRow : Pack<T, k> {};
template <class T>
struct HeldRow<T, 1> {
  T number = 0;
  [[gnu::always_inline]] void load(const T* from) { number = *from; }
  [[gnu::always_inline]] void store(T* to) const { *to = number; }
  [[gnu::always_inline]] void add(T x, const T* from) { number += x * *from; }
};

// y += the part of x^T b that comes from the rows [first, last) of x. Where neighbouring rows begin with the same
// column, as those of one user do in ratings that are sorted, its row of y is kept in registers: through memory each
// sum would wait for the one before it. (No other column of such a row is that one.)
template <class T, std::int64_t fixed>
struct ScatterRows {
  [[gnu::always_inline]] static void run(Rows<T> x, const T* b, std::int64_t width, T* y, std::int64_t first,
                                         std::int64_t last) {
    const std::int64_t k = fixed > 0 ? fixed : width;
    [[maybe_unused]] HeldRow<T, fixed == 0 ? 1 : fixed> kept;
    [[maybe_unused]] T* place_of_kept = nullptr;
    for (std::int64_t r = first; r < last; ++r) {
      const T scale = x.scale != nullptr ? x.scale[r] : T{1};
      const std::int64_t end = x.start[r + 1] - x.start[0];
      std::int64_t j = x.start[r] - x.start[0];
      if constexpr (fixed > 0) {
        if (j == end) continue;
        if (T* const place = y + x.place[j] * k; place != place_of_kept) {
          if (place_of_kept != nullptr) kept.store(place_of_kept);
          kept.load(place);
          place_of_kept = place;
        }
        kept.add(scale * x.value(j), b + r * k);
        for (++j; j < end; ++j) {
          HeldRow<T, fixed> row;
          row.load(y + x.place[j] * k);
          row.add(scale * x.value(j), b + r * k);
          row.store(y + x.place[j] * k);
        }
      } else {
        for (; j < end; ++j) add_multiple(y + x.place[j] * k, scale * x.value(j), b + r * k, k);
      }
    }
    if constexpr (fixed > 0)
      if (place_of_kept != nullptr) kept.store(place_of_kept);
  }
};

// The kernel for the machine at hand.
template <class T>
using RowsKernel = void (*)(Rows<T>, const T*, std::int64_t, T*, std::int64_t, std::int64_t);

template <class Body, class T>
RowsKernel<T> kernel() {
  return compiled_here<Body, Rows<T>, const T*, std::int64_t, T*, std::int64_t, std::int64_t>();
}

// f(width as a constant) where it is a usual number of factors, f(0) otherwise.
template <class F>
void by_width(std::int64_t k, F&& f) {
  switch (k) {
    case 1: return f(std::integral_constant<std::int64_t, 1>{});
    case 4: return f(std::integral_constant<std::int64_t, 4>{});
    case 8: return f(std::integral_constant<std::int64_t, 8>{});
    case 16: return f(std::integral_constant<std::int64_t, 16>{});
    case 20: return f(std::integral_constant<std::int64_t, 20>{});
    case 32: return f(std::integral_constant<std::int64_t, 32>{});
    case 64: return f(std::integral_constant<std::int64_t, 64>{});
    default: return f(std::integral_constant<std::int64_t, 0>{});
  }
}

template <class T>
T inner_product(const T* u, const T* v, std::int64_t k) {
  T sum = 0;
  for (std::int64_t c = 0; c < k; ++c) sum += u[c] * v[c];
  return sum;
}

}  // namespace

template <class T>
void csr_times_dense(Workers& workers, const Value& x, const Value& b, T* y) {
  const std::int64_t k = b.shape()[1];
  const Index* place = b.type.layout == Layout::part ? x.pattern->touched().slot.data() : x.pattern->column.data();
  const std::int64_t rows = x.shape()[0];
  const Rows<T> of{x.row_start(), place + x.row_start()[0], x.ones ? nullptr : x.as<T>(), nullptr};
  by_width(k, [&](auto width) {
    const RowsKernel<T> multiply = kernel<MultiplyRows<T, width.value>, T>();
    workers.for_each(rows, chunk_of(rows, x.stored * k),
                     [&](std::int64_t first, std::int64_t last) { multiply(of, b.as<T>(), k, y, first, last); });
  });
}

// x and b are read in order, row by row, and each non-zero adds to its column's row of y; going column by column
// instead would write y in order but meet a row of b far away at each step. Threads would write the same rows of
// y: so the rows of x are cut into pieces (by size alone), each piece sums in memory of its own, and the sums are
// added in order.
template <class T>
void csr_transposed_times_dense(Call& call, const Value& x, const T* b, std::int64_t k, T* y, const T* scale) {
  const bool touched_only = call.out().type.layout == Layout::rows;
  const Index* place = touched_only ? x.pattern->touched().slot.data() : x.pattern->column.data();
  const std::int64_t size = (touched_only ? call.out().index->count() : x.pattern->columns) * k;
  const std::int64_t n = x.shape()[0];
  // A piece must have several times the work of clearing and adding its sums.
  const std::int64_t pieces =
      call.adds ? 1 : std::clamp<std::int64_t>(x.stored * k / (8 * std::max<std::int64_t>(1, size) + work), 1, 8);
  const std::int64_t rows = (n + pieces - 1) / pieces;
  T* sums = pieces > 1 ? call.scratch<T>((pieces - 1) * size) : nullptr;
  const Rows<T> of{x.row_start(), place + x.row_start()[0], x.ones ? nullptr : x.as<T>(), scale};
  by_width(k, [&](auto width) {
    const RowsKernel<T> scatter = kernel<ScatterRows<T, width.value>, T>();
    call.workers().for_each(pieces, 1, [&](std::int64_t piece, std::int64_t) {
      T* to = piece == 0 ? y : sums + (piece - 1) * size;
      if (!call.adds) std::fill_n(to, size, T{});
      scatter(of, b, k, to, piece * rows, std::min((piece + 1) * rows, n));
    });
  });
  call.workers().for_each(size, work, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = 1; piece < pieces; ++piece)
      add_multiple(y + first, T{1}, sums + (piece - 1) * size + first, last - first);
  });
}

namespace {

// Eight sums at once, which fit a vector register or two; the rest of a row goes to the first of them.
template <class T, std::int64_t fixed>
struct DotRows {
  [[gnu::always_inline]] static void run(const T* a, const T* b, std::int64_t n, std::int64_t width, T* y) {
    constexpr std::int64_t lanes = 8;
    const std::int64_t k = fixed > 0 ? fixed : width;
    for (std::int64_t r = 0; r < n; ++r, a += k, b += k) {
      if constexpr (fixed > 1) {
        Pack<T, fixed> sum;
        sum.add_products(a, b);
        y[r] = sum.sum();
      } else {
        T sum[lanes] = {};
        std::int64_t c = 0;
        for (; c + lanes <= k; c += lanes)
          for (std::int64_t l = 0; l < lanes; ++l) sum[l] += a[c + l] * b[c + l];
        for (std::int64_t l = 0; c + l < k; ++l) sum[l] += a[c + l] * b[c + l];
        y[r] = ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
      }
    }
  }
};

}  // namespace

template <class T>
void dot_rows(const T* a, const T* b, std::int64_t n, std::int64_t k, T* y) {
  by_width(k, [&](auto width) {
    using Body = DotRows<T, width.value>;
    compiled_here<Body, const T*, const T*, std::int64_t, std::int64_t, T*>()(a, b, n, k, y);
  });
}

template <class T>
void dense_times_csr(Workers& workers, const T* a, std::int64_t m, const Value& x, T* y) {
  const CsrPattern& p = *x.pattern;
  const T* values = x.as<T>();
  workers.for_each(m, chunk_of(m, m * p.non_zeros()), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      T* to = y + i * p.columns;
      std::fill_n(to, p.columns, T{});
      for (std::int64_t r = 0; r < p.rows; ++r) {
        const T factor = a[i * p.rows + r];
        const auto end = p.row_start[static_cast<std::size_t>(r) + 1];
        for (std::int64_t j = p.row_start[static_cast<std::size_t>(r)]; j < end; ++j)
          to[p.column[static_cast<std::size_t>(j)]] += factor * values[j];
      }
    }
  });
}

template <class T>
void dense_times_csr_transposed(Workers& workers, const T* a, std::int64_t m, const Value& x, T* y) {
  const CsrPattern& p = *x.pattern;
  const T* values = x.as<T>();
  workers.for_each(m, chunk_of(m, m * p.non_zeros()), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i)
      for (std::int64_t r = 0; r < p.rows; ++r) {
        T sum = 0;
        const auto end = p.row_start[static_cast<std::size_t>(r) + 1];
        for (std::int64_t j = p.row_start[static_cast<std::size_t>(r)]; j < end; ++j)
          sum += a[i * p.columns + p.column[static_cast<std::size_t>(j)]] * values[j];
        y[i * p.rows + r] = sum;
      }
  });
}

template <class T>
void sampled_product(Workers& workers, const CsrPattern& pattern, const T* u, const T* v, std::int64_t k, T* y) {
  workers.for_each(pattern.rows, chunk_of(pattern.rows, pattern.non_zeros() * k),
                   [&](std::int64_t first, std::int64_t last) {
                     for (std::int64_t r = first; r < last; ++r) {
                       const auto end = pattern.row_start[static_cast<std::size_t>(r) + 1];
                       for (std::int64_t j = pattern.row_start[static_cast<std::size_t>(r)]; j < end; ++j)
                         y[j] = inner_product(u + r * k, v + pattern.column[static_cast<std::size_t>(j)] * k, k);
                     }
                   });
}

template void csr_times_dense(Workers&, const Value&, const Value&, float*);
template void csr_times_dense(Workers&, const Value&, const Value&, double*);
template void csr_transposed_times_dense(Call&, const Value&, const float*, std::int64_t, float*, const float*);
template void csr_transposed_times_dense(Call&, const Value&, const double*, std::int64_t, double*, const double*);
template void dot_rows(const float*, const float*, std::int64_t, std::int64_t, float*);
template void dot_rows(const double*, const double*, std::int64_t, std::int64_t, double*);
template void dense_times_csr(Workers&, const float*, std::int64_t, const Value&, float*);
template void dense_times_csr(Workers&, const double*, std::int64_t, const Value&, double*);
template void dense_times_csr_transposed(Workers&, const float*, std::int64_t, const Value&, float*);
template void dense_times_csr_transposed(Workers&, const double*, std::int64_t, const Value&, double*);
template void sampled_product(Workers&, const CsrPattern&, const float*, const float*, std::int64_t, float*);
template void sampled_product(Workers&, const CsrPattern&, const double*, const double*, std::int64_t, double*);

}  // namespace gradus
