#include <gradus/ops/gemm.h>

#include <gradus/core/cpu.h>
#include <gradus/core/error.h>
#include <gradus/ops/modular.h>
#include <gradus/ops/narrow_gemm.h>
#include <gradus/ops/small_gemm.h>
#include <gradus/ops/transposed_block.h>

#include <cblas.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <type_traits>

namespace gradus {

namespace {

// Where the kernels of narrow_gemm.h are the faster ones, by shape alone; measured beside OpenBLAS 0.3.21 on a Zen 3
// (rows "narrow" of gradus_bench, and k from 2 to 300). Packing pays off for wide rows of b that are met often, and for
// a^T b sooner, as there c is read and written again every few steps. Short inner products (n = 1), and rows of b
// narrower than a vector, are left to OpenBLAS too; but of a^T b its kernels for AVX-512 add such a row's products one
// after the other, and from some hundreds of steps on lose more digits than ours, which sum block by block.
template <class T>
bool is_narrow(std::int64_t n, std::int64_t k, bool transpose_a) {
  if (n == 1) return transpose_a || k >= 32;
  if (n < 4) return transpose_a && k > 128;
  const std::int64_t row_bytes = n * static_cast<std::int64_t>(sizeof(T));
  return row_bytes <= (transpose_a && k > 16 ? 128 : 256);
}

// Of float or double, by BLAS or the kernels of narrow_gemm.h: none of the sizes is 0 but k.
template <class T>
void floating_gemm(Workers& workers, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a,
                   const T* b, bool transpose_b, T* c, bool add) {
  // About a million multiplications a piece, and rows enough: BLAS packs b anew for each.
  const std::int64_t rows = std::max<std::int64_t>(256, (std::int64_t{1} << 20) / (n * k) / 64 * 64);
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
  // A small b that is stored the other way is laid out anew: that costs less than BLAS does, which packs it too.
  constexpr std::int64_t most_laid_out = 4096;
  if (transpose_b && m >= 8 && n * k <= most_laid_out && is_narrow<T>(n, k, transpose_a)) {
    T laid_out[most_laid_out];
    transpose_block(b, k, n, k, laid_out, n);
    return floating_gemm(workers, m, n, k, a, transpose_a, laid_out, false, c, add);
  }
  if (std::max({m, n, k}) > INT32_MAX)
    fail<ValueError>("matmul: a dimension of {} is too large for BLAS", std::max({m, n, k}));
  const T beta = add ? 1 : 0;
  const auto op_a = transpose_a ? CblasTrans : CblasNoTrans;
  const auto op_b = transpose_b ? CblasTrans : CblasNoTrans;
  const int lda = static_cast<int>(stride);
  const int ldb = static_cast<int>(transpose_b ? k : n);
  workers.for_each(m, rows, [&](std::int64_t first, std::int64_t last) {
    prepare_blas("matmul");
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

// Of integers, modulo 2^32 or 2^64.
template <class T>
void integer_gemm(Workers& workers, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a,
                  const T* b, bool transpose_b, T* c, bool add) {
  const std::int64_t rows = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / std::max<std::int64_t>(1, n * k));
  workers.for_each(m, rows, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      T* const to = c + row * n;
      if (!add) std::fill(to, to + n, T{0});
      for (std::int64_t l = 0; l < k; ++l) {
        const auto factor = modular(a[transpose_a ? l * m + row : row * k + l]);
        const T* const by = b + (transpose_b ? l : l * n);
        const std::int64_t step = transpose_b ? k : 1;
        for (std::int64_t j = 0; j < n; ++j) to[j] = static_cast<T>(modular(to[j]) + factor * modular(by[j * step]));
      }
    }
  });
}

}  // namespace

// BLAS threads would split by count and load; ours split by size. The setting is OpenBLAS's, for the process. It takes
// a buffer at the first call of each thread, and where there is no room for it tries again for ever.
void prepare_blas(std::string_view op) {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
  constexpr std::size_t bytes = std::size_t{130} << 20;
  static thread_local bool has_room = false;
  if (has_room) return;
  void* const room = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED)
    fail<DeviceError>("{}: OpenBLAS needs {} MiB of address space, which are not to be had", op, bytes >> 20);
  ::munmap(room, bytes);
  has_room = true;
}

template <class T>
void gemm(Workers& workers, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a, const T* b,
          bool transpose_b, T* c, bool add) {
  if (m == 0 || n == 0) return;
  if constexpr (std::is_integral_v<T>) {
    integer_gemm(workers, m, n, k, a, transpose_a, b, transpose_b, c, add);
  } else if (m * n * k <= small_gemm_most) {
    small_gemm(isa(), m, n, k, a, transpose_a, b, transpose_b, c, add);
  } else {
    floating_gemm(workers, m, n, k, a, transpose_a, b, transpose_b, c, add);
  }
}

template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const float*, bool, const float*, bool, float*,
                   bool);
template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const double*, bool, const double*, bool,
                   double*, bool);
template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const std::int32_t*, bool, const std::int32_t*,
                   bool, std::int32_t*, bool);
template void gemm(Workers&, std::int64_t, std::int64_t, std::int64_t, const std::int64_t*, bool, const std::int64_t*,
                   bool, std::int64_t*, bool);

}  // namespace gradus
