// Products of small matrices, for which a call of BLAS would cost more than the work: the same bits with every
// instruction set.
#pragma once

#include <gradus/core/cpu.h>

#include <cstdint>

namespace gradus {

/// As many multiplications, m n k, as small_gemm takes.
constexpr std::int64_t small_gemm_most = 4096;

/// C = A B, or C += A B where `add` says so, for C [m, n] and float or double: A is a [m, k], or a^T where a [k, m] is
/// transposed, and likewise B. m and n are not 0; without k the product is 0. By the instructions of `isa`.
template <class T>
void small_gemm(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a, const T* b,
                bool transpose_b, T* c, bool add);

}  // namespace gradus
