#include <gradus/ops/spmm.h>

#include <algorithm>

namespace gradus {

namespace {

constexpr std::int64_t work = 16384;  // multiplications a thread takes at a time

// Outputs a thread takes at a time, when `total` multiplications are spread over `count` outputs.
std::int64_t chunk_of(std::int64_t count, std::int64_t total) {
  const std::int64_t each = std::max<std::int64_t>(1, total / std::max<std::int64_t>(1, count));
  return std::max<std::int64_t>(1, work / each);
}

// y += factor * b
template <class T>
void add_multiple(T* __restrict y, T factor, const T* __restrict b, std::int64_t k) {
  for (std::int64_t c = 0; c < k; ++c) y[c] += factor * b[c];
}

template <class T>
T inner_product(const T* u, const T* v, std::int64_t k) {
  T sum = 0;
  for (std::int64_t c = 0; c < k; ++c) sum += u[c] * v[c];
  return sum;
}

}  // namespace

template <class T>
void csr_times_dense(Workers& workers, const Value& x, const T* b, std::int64_t k, T* y) {
  const CsrPattern& p = *x.pattern;
  const T* values = x.as<T>();
  const std::int64_t* start = p.row_start.data();
  const Index* column = p.column.data();
  workers.for_each(p.rows, chunk_of(p.rows, p.non_zeros() * k), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      T* row = y + r * k;
      std::fill_n(row, k, T{});
      for (std::int64_t j = start[r]; j < start[r + 1]; ++j) add_multiple(row, values[j], b + column[j] * k, k);
    }
  });
}

// x and b are read in order, row by row, and each non-zero adds to its column's row of y; going column by column
// instead would write y in order but meet a row of b far away at each step. Threads would write the same rows of
// y: so the rows of x are cut into pieces (by size alone), each piece sums in memory of its own, and the sums are
// added in order.
template <class T>
void csr_transposed_times_dense(Call& call, const Value& x, const T* b, std::int64_t k, T* y) {
  const CsrPattern& p = *x.pattern;
  const CsrPattern::ByColumn& by_column = p.by_column();
  const T* values = x.as<T>();
  const std::int64_t* start = p.row_start.data();
  const Index* slot = by_column.slot.data();
  const std::int64_t size = by_column.touched->count() * k;
  // A piece must have several times the work of clearing and adding its sums.
  const std::int64_t pieces =
      std::clamp<std::int64_t>(p.non_zeros() * k / (8 * std::max<std::int64_t>(1, size) + work), 1, 8);
  const std::int64_t rows = (p.rows + pieces - 1) / pieces;
  T* sums = pieces > 1 ? call.scratch<T>((pieces - 1) * size) : nullptr;
  call.workers().for_each(pieces, 1, [&](std::int64_t piece, std::int64_t) {
    T* to = piece == 0 ? y : sums + (piece - 1) * size;
    std::fill_n(to, size, T{});
    for (std::int64_t r = piece * rows; r < std::min((piece + 1) * rows, p.rows); ++r)
      for (std::int64_t j = start[r]; j < start[r + 1]; ++j) add_multiple(to + slot[j] * k, values[j], b + r * k, k);
  });
  call.workers().for_each(size, work, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = 1; piece < pieces; ++piece)
      add_multiple(y + first, T{1}, sums + (piece - 1) * size + first, last - first);
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

template void csr_times_dense(Workers&, const Value&, const float*, std::int64_t, float*);
template void csr_times_dense(Workers&, const Value&, const double*, std::int64_t, double*);
template void csr_transposed_times_dense(Call&, const Value&, const float*, std::int64_t, float*);
template void csr_transposed_times_dense(Call&, const Value&, const double*, std::int64_t, double*);
template void dense_times_csr(Workers&, const float*, std::int64_t, const Value&, float*);
template void dense_times_csr(Workers&, const double*, std::int64_t, const Value&, double*);
template void dense_times_csr_transposed(Workers&, const float*, std::int64_t, const Value&, float*);
template void dense_times_csr_transposed(Workers&, const double*, std::int64_t, const Value&, double*);
template void sampled_product(Workers&, const CsrPattern&, const float*, const float*, std::int64_t, float*);
template void sampled_product(Workers&, const CsrPattern&, const double*, const double*, std::int64_t, double*);

}  // namespace gradus
