#include <gradus/ops/spmm.h>

#include <gradus/core/at.h>
#include <gradus/core/cpu.h>
#include <gradus/core/tensor/as_constant.h>
#include <gradus/ops/simd_row.h>

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>

namespace gradus {

namespace {

constexpr std::int64_t work = 1 << 16;    // multiplications a thread takes at a time: less is not worth waking one
constexpr std::int64_t column_costs = 4;  // multiplications that take as long as to look up a number by itself

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

// Rows of a table that does not fit the nearest caches are asked for so many non-zeros before they are needed.
constexpr std::int64_t ahead = 16;
constexpr std::int64_t near_bytes = 1 << 18;

// The first line of a row and its last: what is between, processors fetch by themselves.
template <class T>
[[gnu::always_inline]] inline void prefetch_row(const T* row, std::int64_t width) {
  __builtin_prefetch(row);
  __builtin_prefetch(row + width - 1);
}

// A tile of a csr matrix: row r has the values and places start[r] - start[0] to start[r + 1] - start[0].
template <class T>
struct Rows {
  const std::int64_t* start;
  const Index* place;  // which row of the dense matrix a non-zero meets
  const T* values;     // null where all are 1
  const T* scale;      // of each row; null where there is none
  bool far;            // whether rows of the dense matrix are asked for ahead

  [[gnu::always_inline]] T value(std::int64_t j) const { return values != nullptr ? values[j] : T{1}; }
  [[gnu::always_inline]] T scale_of(std::int64_t r) const { return scale != nullptr ? scale[r] : T{1}; }
};

// The rows [first, last) of x b. A row of y stays in registers; L is its SimdRow, or void.
template <class T, class L>
struct MultiplyRows {
  [[gnu::always_inline]] static void run(Rows<T> x, const T* b, std::int64_t width, T* y, std::int64_t first,
                                         std::int64_t last) {
    if constexpr (std::is_void_v<L>) {
      for (std::int64_t r = first; r < last; ++r) {
        std::fill_n(y + r * width, width, T{});
        for (std::int64_t j = x.start[r] - x.start[0]; j < x.start[r + 1] - x.start[0]; ++j)
          add_multiple(y + r * width, x.value(j), b + x.place[j] * width, width);
      }
    } else {
      const std::int64_t k = L::width_of(width);
      const std::int64_t last_place = x.start[last] - x.start[0] - 1;
      for (std::int64_t r = first; r < last; ++r) {
        L row;
        for (std::int64_t j = x.start[r] - x.start[0]; j < x.start[r + 1] - x.start[0]; ++j) {
          if (x.far) prefetch_row(b + x.place[std::min(j + ahead, last_place)] * k, k);
          row.add(x.value(j), b + x.place[j] * k, k);
        }
        row.store(y + r * k, k);
      }
    }
  }
};

// The same for a column b, where every row of x has `length` non-zeros: a few are a loop that the compiler unrolls.
template <class T>
struct MultiplyColumn {
  [[gnu::always_inline]] static void run(Rows<T> x, const T* b, std::int64_t length, T* y, std::int64_t first,
                                         std::int64_t last) {
    as_constant<std::int64_t, 1, 2, 3, 4>(length, [&](auto fixed) {
      const std::int64_t count = fixed > 0 ? fixed : length;
      const Index* place = x.place + first * count;
      if (x.values == nullptr) {
        for (std::int64_t r = first; r < last; ++r, place += count) {
          T sum{};
          for (std::int64_t j = 0; j < count; ++j) sum += b[place[j]];
          y[r] = sum;
        }
        return;
      }
      const T* value = x.values + first * count;
      for (std::int64_t r = first; r < last; ++r, place += count, value += count) {
        T sum{};
        for (std::int64_t j = 0; j < count; ++j) sum += value[j] * b[place[j]];
        y[r] = sum;
      }
    });
  }
};

// y += the part of x^T b that comes from the rows [first, last) of x. Where neighbouring rows begin with the same
// column, as those of one user do in ratings that are sorted, its row of y is kept in registers: through memory each
// sum would wait for the one before it. (Of indices that are looked up together, a row may name it once more.)
template <class T, class L>
struct ScatterRows {
  [[gnu::always_inline]] static void run(Rows<T> x, const T* b, std::int64_t width, T* y, std::int64_t first,
                                         std::int64_t last) {
    if constexpr (std::is_void_v<L>) {
      for (std::int64_t r = first; r < last; ++r)
        for (std::int64_t j = x.start[r] - x.start[0]; j < x.start[r + 1] - x.start[0]; ++j)
          add_multiple(y + x.place[j] * width, x.scale_of(r) * x.value(j), b + r * width, width);
    } else {
      const std::int64_t k = L::width_of(width);
      const std::int64_t last_place = x.start[last] - x.start[0] - 1;
      L kept;
      T* place_of_kept = nullptr;
      for (std::int64_t r = first; r < last; ++r) {
        const T scale = x.scale_of(r);
        const std::int64_t end = x.start[r + 1] - x.start[0];
        std::int64_t j = x.start[r] - x.start[0];
        if (j == end) continue;
        if (T* const place = y + x.place[j] * k; place != place_of_kept) {
          if (place_of_kept != nullptr) kept.store(place_of_kept, k);
          kept.load(place, k);
          place_of_kept = place;
        }
        kept.add(scale * x.value(j), b + r * k, k);
        for (++j; j < end; ++j) {
          T* const place = y + x.place[j] * k;
          if (place == place_of_kept) {
            kept.add(scale * x.value(j), b + r * k, k);
            continue;
          }
          if (x.far) prefetch_row(y + x.place[std::min(j + ahead, last_place)] * k, k);
          L row;
          row.load(place, k);
          row.add(scale * x.value(j), b + r * k, k);
          row.store(place, k);
        }
      }
      if (place_of_kept != nullptr) kept.store(place_of_kept, k);
    }
  }
};

// The same for a column b, where every row of x has `length` non-zeros.
template <class T>
struct ScatterColumn {
  [[gnu::always_inline]] static void run(Rows<T> x, const T* b, std::int64_t length, T* y, std::int64_t first,
                                         std::int64_t last) {
    as_constant<std::int64_t, 1, 2, 3, 4>(length, [&](auto fixed) {
      const std::int64_t count = fixed > 0 ? fixed : length;
      T kept{};
      T* place_of_kept = nullptr;
      for (std::int64_t r = first; r < last; ++r) {
        const T scale = x.scale_of(r);
        const std::int64_t begin = r * count;
        if (T* const place = y + x.place[begin]; place != place_of_kept) {
          if (place_of_kept != nullptr) *place_of_kept = kept;
          kept = *place;
          place_of_kept = place;
        }
        kept += scale * x.value(begin) * b[r];
        for (std::int64_t j = begin + 1; j < begin + count; ++j) {
          T* const place = y + x.place[j];
          (place == place_of_kept ? kept : *place) += scale * x.value(j) * b[r];
        }
      }
      if (place_of_kept != nullptr) *place_of_kept = kept;
    });
  }
};

// The kernel for the machine at hand.
template <class T>
using RowsKernel = void (*)(Rows<T>, const T*, std::int64_t, T*, std::int64_t, std::int64_t);

template <class Body, class T>
RowsKernel<T> kernel() {
  return compiled_here<Body, Rows<T>, const T*, std::int64_t, T*, std::int64_t, std::int64_t>();
}

template <class T>
T inner_product(const T* u, const T* v, std::int64_t k) {
  T sum = 0;
  for (std::int64_t c = 0; c < k; ++c) sum += u[c] * v[c];
  return sum;
}

// Bounds of shares of the places [0, end) that are met about as often, told by some of those met.
void share_evenly(std::span<const Index> met, Index end, std::span<Index> bounds) {
  std::array<Index, 64> some;
  for (std::size_t i = 0; i < some.size(); ++i) {
    const std::uint32_t scattered = static_cast<std::uint32_t>(i) * 0x9e3779b9U;  // whatever the rows' lengths
    some[i] = met[(scattered * met.size()) >> 32U];
  }
  std::sort(some.begin(), some.end());
  const std::size_t shares = bounds.size() - 1;
  for (std::size_t share = 1; share < shares; ++share) bounds[share] = some[share * some.size() / shares];
  bounds.front() = 0;
  bounds.back() = end;
}

// How many of some numbers are below a bound. Where they ascend, too, all are compared: of a few dozen, a search would
// take longer, for its branches are guessed wrong.
Index count_below(const Index* numbers, std::int64_t count, Index bound) {
  Index below = 0;
  for (std::int64_t i = 0; i < count; ++i) below += numbers[i] < bound ? 1 : 0;
  return below;
}

// y [p, k] = x^T b, where each thread adds to a share of the rows of y: it takes out of each of the n rows of x, whose
// places ascend, what meets its share, a block of rows at a time. Each sum is added up in the order of x's rows, as by
// one thread.
template <class T>
void scatter_shares(Call& call, const Rows<T>& x, std::int64_t n, const T* b, std::int64_t k, T* y, std::int64_t p,
                    std::int64_t shares, RowsKernel<T> scatter) {
  constexpr std::int64_t block_rows = 512;
  std::int64_t room = 1 << 14;  // for the non-zeros of a block
  for (std::int64_t r = 0; r < n; ++r) room = std::max(room, (x.start[r + 1] - x.start[r] + 1) / 2 * 2);
  constexpr std::int64_t start_bytes = (block_rows + 1) * sizeof(std::int64_t);
  const std::int64_t bytes = start_bytes + room * static_cast<std::int64_t>(sizeof(T) + sizeof(Index));
  auto* const memory =
      call.scratch<std::byte>(shares * bytes + (shares + 1) * static_cast<std::int64_t>(sizeof(Index)));
  const std::span<Index> bounds(reinterpret_cast<Index*>(memory + shares * bytes), as_size(shares + 1));
  share_evenly({x.place, as_size(x.start[n] - x.start[0])}, static_cast<Index>(p), bounds);
  call.workers().for_each(shares, 1, [&](std::int64_t share, std::int64_t) {
    auto* const start = reinterpret_cast<std::int64_t*>(memory + share * bytes);
    auto* const values = reinterpret_cast<T*>(memory + share * bytes + start_bytes);
    auto* const place = reinterpret_cast<Index*>(values + room);
    const Index from = bounds[as_size(share)], to = bounds[as_size(share + 1)];
    std::fill_n(y + from * k, (to - from) * k, T{});
    for (std::int64_t first = 0, last = 0; first < n; first = last) {
      std::int64_t taken = 0;
      for (; last < n && last - first < block_rows && taken + x.start[last + 1] - x.start[last] <= room; ++last) {
        start[last - first] = taken;
        const std::int64_t begin = x.start[last] - x.start[0], length = x.start[last + 1] - x.start[last];
        const Index* const row = x.place + begin;
        const std::int64_t below = from == 0 ? 0 : count_below(row, length, from);
        const std::int64_t within = (to == p ? length : count_below(row, length, to)) - below;
        std::copy_n(row + below, within, place + taken);
        if (x.values != nullptr) std::copy_n(x.values + begin + below, within, values + taken);
        taken += within;
      }
      start[last - first] = taken;
      const Rows<T> own{start, place, x.values == nullptr ? nullptr : values,
                        x.scale == nullptr ? nullptr : x.scale + first, x.far};
      scatter(own, b + first * k, k, y, 0, last - first);
    }
  });
}

}  // namespace

template <class T>
void csr_times_dense(Workers& workers, const Value& x, const Value& b, T* y) {
  const std::int64_t k = b.shape()[1];
  const Index* place = b.type.layout == Layout::part ? x.pattern->active().slot.data() : x.pattern->column.data();
  const std::int64_t rows = x.shape()[0];
  const bool far = b.stored * static_cast<std::int64_t>(sizeof(T)) > near_bytes;
  const Rows<T> of{x.row_start(), place + x.row_start()[0], x.ones ? nullptr : x.as<T>(), nullptr, far};
  if (const std::int64_t length = x.pattern->row_length(); k == 1 && length > 0) {
    const RowsKernel<T> multiply = kernel<MultiplyColumn<T>, T>();
    return workers.for_each(rows, chunk_of(rows, x.stored * column_costs), [&](std::int64_t first, std::int64_t last) {
      multiply(of, b.as<T>(), length, y, first, last);
    });
  }
  by_simd_row<T>(k, [&]<class L>(TypeTag<L>) {
    const RowsKernel<T> multiply = kernel<MultiplyRows<T, L>, T>();
    workers.for_each(rows, chunk_of(rows, x.stored * k),
                     [&](std::int64_t first, std::int64_t last) { multiply(of, b.as<T>(), k, y, first, last); });
  });
}

// x and b are read in order, row by row, and each non-zero adds to its column's row of y; going column by column
// instead would write y in order but meet a row of b far away at each step. Threads would write the same rows of
// y: so where y is small next to x, the rows of x are cut into pieces (by size alone), each piece sums in memory of its
// own, and the sums are added in order. Where it is not, the threads share the rows of y.
template <class T>
void csr_transposed_times_dense(Call& call, const Value& x, const T* b, std::int64_t k, T* y, const T* scale) {
  const bool active_only = call.out().type.layout == Layout::rows;
  const Index* place = active_only ? x.pattern->active().slot.data() : x.pattern->column.data();
  const std::int64_t size = (active_only ? call.out().index->count() : x.pattern->columns) * k;
  const std::int64_t n = x.shape()[0];
  // A piece must have several times the work of clearing and adding its sums.
  const std::int64_t pieces =
      call.adds ? 1 : std::clamp<std::int64_t>(x.stored * k / (8 * std::max<std::int64_t>(1, size) + 4 * work), 1, 8);
  const std::int64_t rows = (n + pieces - 1) / pieces;
  T* sums = pieces > 1 ? call.scratch<T>((pieces - 1) * size) : nullptr;
  const bool far = size * static_cast<std::int64_t>(sizeof(T)) > near_bytes;
  const Rows<T> of{x.row_start(), place + x.row_start()[0], x.ones ? nullptr : x.as<T>(), scale, far};
  const std::int64_t shares = std::min<std::int64_t>(call.workers().threads(), x.stored * k / work);
  if (pieces == 1 && shares > 1 && k > 1 && !call.adds && x.pattern->ascends())
    return by_simd_row<T>(k, [&]<class L>(TypeTag<L>) {
      scatter_shares(call, of, n, b, k, y, size / k, shares, kernel<ScatterRows<T, L>, T>());
    });
  const auto run = [&](RowsKernel<T> scatter, std::int64_t width) {
    call.workers().for_each(pieces, 1, [&](std::int64_t piece, std::int64_t) {
      T* to = piece == 0 ? y : sums + (piece - 1) * size;
      if (!call.adds) std::fill_n(to, size, T{});
      scatter(of, b, width, to, piece * rows, std::min((piece + 1) * rows, n));
    });
  };
  if (const std::int64_t length = x.pattern->row_length(); k == 1 && length > 0) {
    run(kernel<ScatterColumn<T>, T>(), length);
  } else {
    by_simd_row<T>(k, [&]<class L>(TypeTag<L>) { run(kernel<ScatterRows<T, L>, T>(), k); });
  }
  call.workers().for_each(size, work, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = 1; piece < pieces; ++piece)
      add_multiple(y + first, T{1}, sums + (piece - 1) * size + first, last - first);
  });
}

namespace {

template <class T, class L>
struct DotRows {
  [[gnu::always_inline]] static void run(const T* a, const T* b, std::int64_t n, std::int64_t width, T* y) {
    if constexpr (std::is_void_v<L>) {
      for (std::int64_t r = 0; r < n; ++r) y[r] = in_eight_sums(a + r * width, b + r * width, width);
    } else {
      const std::int64_t k = L::width_of(width);
      const SimdRowProduct<L> product(k);
      for (std::int64_t r = 0; r < n; ++r) y[r] = product.of(a + r * k, b + r * k, k);
    }
  }

 private:
  // They fit a vector register or two; the rest of a row goes to the first of them.
  [[gnu::always_inline]] static T in_eight_sums(const T* a, const T* b, std::int64_t k) {
    constexpr std::int64_t lanes = 8;
    T sum[lanes] = {};
    std::int64_t c = 0;
    for (; c + lanes <= k; c += lanes)
      for (std::int64_t l = 0; l < lanes; ++l) sum[l] += a[c + l] * b[c + l];
    for (std::int64_t l = 0; c + l < k; ++l) sum[l] += a[c + l] * b[c + l];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
  }
};

}  // namespace

template <class T>
void dot_rows(const T* a, const T* b, std::int64_t n, std::int64_t k, T* y) {
  by_simd_row<T>(k, [&]<class L>(TypeTag<L>) {
    compiled_here<DotRows<T, L>, const T*, const T*, std::int64_t, std::int64_t, T*>()(a, b, n, k, y);
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
