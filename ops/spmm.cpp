#include <gradus/ops/spmm.h>

#include <algorithm>

namespace gradus {

namespace {

constexpr std::int64_t width = 64;    // columns of b at a time: their sums stay in registers or L1
constexpr std::int64_t work = 16384;  // multiplications a thread takes at a time

// Outputs a thread takes at a time, when `total` multiplications are spread over `count` outputs.
std::int64_t chunk_of(std::int64_t count, std::int64_t total) {
  const std::int64_t each = std::max<std::int64_t>(1, total / std::max<std::int64_t>(1, count));
  return std::max<std::int64_t>(1, work / each);
}

// sum[0, k) = the sum over positions [first, last) of number(j) * row(j)[0, k)
template <class T, class Number, class Row>
void weighted_rows(std::int64_t first, std::int64_t last, std::int64_t k, const Number& number, const Row& row, T* y) {
  for (std::int64_t column = 0; column < k; column += width) {
    const std::int64_t count = std::min(width, k - column);
    T sum[width] = {};
    for (std::int64_t j = first; j < last; ++j) {
      const T factor = number(j);
      const T* b = row(j) + column;
      for (std::int64_t c = 0; c < count; ++c) sum[c] += factor * b[c];
    }
    std::copy_n(sum, count, y + column);
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
void csr_times_dense(Workers& workers, const Value& x, const T* b, std::int64_t k, T* y) {
  const CsrPattern& p = *x.pattern;
  const T* values = x.as<T>();
  const std::int64_t* start = p.row_start.data();
  const Index* column = p.column.data();
  workers.for_each(p.rows, chunk_of(p.rows, p.non_zeros() * k), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r)
      weighted_rows(
          start[r], start[r + 1], k, [&](std::int64_t j) { return values[j]; },
          [&](std::int64_t j) { return b + column[j] * k; }, y + r * k);
  });
}

template <class T>
void csr_transposed_times_dense(Workers& workers, const Value& x, const T* b, std::int64_t k, T* y) {
  const CsrPattern::ByColumn& p = x.pattern->by_column();
  const T* values = x.as<T>();
  const std::int64_t* start = p.start.data();
  const std::int64_t* position = p.position.data();
  const Index* row = p.row.data();
  const std::int64_t columns = p.touched->count();
  workers.for_each(columns, chunk_of(columns, x.stored * k), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t c = first; c < last; ++c)
      weighted_rows(
          start[c], start[c + 1], k, [&](std::int64_t j) { return values[position[j]]; },
          [&](std::int64_t j) { return b + row[j] * k; }, y + c * k);
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
template void csr_transposed_times_dense(Workers&, const Value&, const float*, std::int64_t, float*);
template void csr_transposed_times_dense(Workers&, const Value&, const double*, std::int64_t, double*);
template void dense_times_csr(Workers&, const float*, std::int64_t, const Value&, float*);
template void dense_times_csr(Workers&, const double*, std::int64_t, const Value&, double*);
template void dense_times_csr_transposed(Workers&, const float*, std::int64_t, const Value&, float*);
template void dense_times_csr_transposed(Workers&, const double*, std::int64_t, const Value&, double*);
template void sampled_product(Workers&, const CsrPattern&, const float*, const float*, std::int64_t, float*);
template void sampled_product(Workers&, const CsrPattern&, const double*, const double*, std::int64_t, double*);

}  // namespace gradus
