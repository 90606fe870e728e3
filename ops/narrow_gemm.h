// Dense matrix products whose right side is narrow, as a factorization machine's are (a few to some tens of factors).
// Nothing is packed: a block of the result stays in vector registers while it walks along a row, or a column, of a.
// Each element of the result is summed in blocks whose bounds depend on k alone: where a product is cut into pieces of
// rows changes no bit of it.
#pragma once

#include <gradus/core/cpu.h>

#include <cstdint>

namespace gradus {

/// c [m, n] = a b for b [k, n], where a is [m, k] (stored [k, m] if transpose_a); c += a b where `add`. Rows of a are
/// `stride` elements apart, those of b and c n, so that a and c may be rows of larger matrices, or if transpose_a, a
/// columns of one. n is 1 to 64. Reads and writes nothing beyond the arrays.
template <class T>
void narrow_gemm(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t stride,
                 bool transpose_a, const T* b, T* c, bool add);

}  // namespace gradus
