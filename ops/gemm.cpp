#include <gradus/ops/gemm.h>

#include <gradus/core/error.h>

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
  if (std::max({m, n, k}) > INT32_MAX)
    fail<ValueError>("matmul: a dimension of {} is too large for BLAS", std::max({m, n, k}));
  use_one_blas_thread();
  const T beta = add ? 1 : 0;
  const auto op_a = transpose_a ? CblasTrans : CblasNoTrans;
  const auto op_b = transpose_b ? CblasTrans : CblasNoTrans;
  const int lda = static_cast<int>(transpose_a ? m : k);
  const int ldb = static_cast<int>(transpose_b ? k : n);
  // About a million multiplications a piece: packing b anew for each costs little beside them.
  const std::int64_t rows = std::max<std::int64_t>(64, (std::int64_t{1} << 20) / (n * k) / 64 * 64);
  workers.for_each(m, rows, [&](std::int64_t first, std::int64_t last) {
    const T* from = a + (transpose_a ? first : first * k);
    const int count = static_cast<int>(last - first);
    if constexpr (std::is_same_v<T, float>) {
      cblas_sgemm(CblasRowMajor, op_a, op_b, count, static_cast<int>(n), static_cast<int>(k), 1, from, lda, b, ldb,
                  beta, c + first * n, static_cast<int>(n));
    } else {
      cblas_dgemm(CblasRowMajor, op_a, op_b, count, static_cast<int>(n), static_cast<int>(k), 1, from, lda, b, ldb,
                  beta, c + first * n, static_cast<int>(n));
    }
  });
}

template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const float*, bool, const float*, bool, float*,
                   bool);
template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const double*, bool, const double*, bool,
                   double*, bool);

}  // namespace gradus
