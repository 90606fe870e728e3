#include <gradus/ops/gemm.h>

#include <gradus/core/cpu.h>
#include <gradus/core/error.h>
#include <gradus/ops/narrow_gemm.h>

#include <cblas.h>

#include <algorithm>
#include <mutex>
#include <type_traits>

namespace gradus {

namespace {

// Below this many multiplications a call of BLAS costs more than the product.
constexpr std::int64_t small_product = 4096;

// BLAS threads would split by count and load; ours split by size. The setting is OpenBLAS's, for the process.
void use_one_blas_thread() {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
}

// Where the kernels of narrow_gemm.h are the faster ones, by shape alone; measured beside OpenBLAS 0.3.21 on a Zen 3
// (rows "narrow" of gradus_bench, and k from 2 to 300). Packing pays off for wide rows of b that are met often, and for
// a^T b sooner, as there c is read and written again every few steps. Short inner products (n = 1), and rows of b
// narrower than a vector, are left to OpenBLAS too.
template <class T>
bool is_narrow(std::int64_t n, std::int64_t k, bool transpose_a) {
  if (n == 1) return transpose_a || k >= 32;
  const std::int64_t row_bytes = n * static_cast<std::int64_t>(sizeof(T));
  return n >= 4 && row_bytes <= (transpose_a && k > 16 ? 128 : 256);
}

template <class T>
void small_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a, const T* b,
                bool transpose_b, T* c, bool add) {
  const std::int64_t a_row = transpose_a ? 1 : k;
  const std::int64_t a_step = transpose_a ? m : 1;
  for (std::int64_t i = 0; i < m; ++i) {
    T* row = c + i * n;
    if (transpose_b) {
      for (std::int64_t j = 0; j < n; ++j) {
        T sum = 0;
        for (std::int64_t l = 0; l < k; ++l) sum += a[i * a_row + l * a_step] * b[j * k + l];
        row[j] = add ? row[j] + sum : sum;
      }
    } else {
      if (!add) std::fill_n(row, n, T{});
      for (std::int64_t l = 0; l < k; ++l) {
        const T factor = a[i * a_row + l * a_step];
        for (std::int64_t j = 0; j < n; ++j) row[j] += factor * b[l * n + j];
      }
    }
  }
}

}  // namespace

template <class T>
void gemm(Workers& workers, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a, const T* b,
          bool transpose_b, T* c, bool add) {
  if (m == 0 || n == 0) return;
  if (m * n * k <= small_product) return small_gemm(m, n, k, a, transpose_a, b, transpose_b, c, add);
  // About a million multiplications a piece: packing b anew for each costs little beside them.
  const std::int64_t rows = std::max<std::int64_t>(64, (std::int64_t{1} << 20) / (n * k) / 64 * 64);
  const std::int64_t stride = transpose_a ? m : k;
  const auto from = [&](std::int64_t row) { return a + (transpose_a ? row : row * k); };
  // A column and a row are the same in memory.
  if ((!transpose_b || n == 1) && is_narrow<T>(n, k, transpose_a)) {
    // Of a^T b long pieces, as each reads but so much of a row of a before it goes on to the next.
    const std::int64_t piece = transpose_a ? std::max<std::int64_t>(512, rows) : rows;
    return workers.for_each(m, piece, [&](std::int64_t first, std::int64_t last) {
      narrow_gemm(isa(), last - first, n, k, from(first), stride, transpose_a, b, c + first * n, add);
    });
  }
  if (std::max({m, n, k}) > INT32_MAX)
    fail<ValueError>("matmul: a dimension of {} is too large for BLAS", std::max({m, n, k}));
  use_one_blas_thread();
  const T beta = add ? 1 : 0;
  const auto op_a = transpose_a ? CblasTrans : CblasNoTrans;
  const auto op_b = transpose_b ? CblasTrans : CblasNoTrans;
  const int lda = static_cast<int>(stride);
  const int ldb = static_cast<int>(transpose_b ? k : n);
  workers.for_each(m, rows, [&](std::int64_t first, std::int64_t last) {
    const int count = static_cast<int>(last - first);
    if constexpr (std::is_same_v<T, float>) {
      cblas_sgemm(CblasRowMajor, op_a, op_b, count, static_cast<int>(n), static_cast<int>(k), 1, from(first), lda, b,
                  ldb, beta, c + first * n, static_cast<int>(n));
    } else {
      cblas_dgemm(CblasRowMajor, op_a, op_b, count, static_cast<int>(n), static_cast<int>(k), 1, from(first), lda, b,
                  ldb, beta, c + first * n, static_cast<int>(n));
    }
  });
}

template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const float*, bool, const float*, bool, float*,
                   bool);
template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const double*, bool, const double*, bool,
                   double*, bool);

}  // namespace gradus
