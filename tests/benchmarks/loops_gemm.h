// OpenBLAS's product as the loops call it.
#pragma once

#include <cblas.h>

#include <cstdint>

namespace loops {

/// c = alpha a b + beta c, row-major.   [m, k] x [k, n] -> [m, n]
inline void gemm(std::int64_t m, std::int64_t n, std::int64_t k, float alpha, const float* a, CBLAS_TRANSPOSE of_a,
                 const float* b, CBLAS_TRANSPOSE of_b, float beta, float* c) {
  const auto lda = static_cast<int>(of_a == CblasTrans ? m : k);
  const auto ldb = static_cast<int>(of_b == CblasTrans ? k : n);
  cblas_sgemm(CblasRowMajor, of_a, of_b, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), alpha, a, lda,
              b, ldb, beta, c, static_cast<int>(n));
}

}  // namespace loops
