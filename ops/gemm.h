// Dense matrix products of plain memory, on OpenBLAS or where b is narrow on our own kernels; what matmul runs for each
// matrix of a batch.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/workers.h>

#include <cstdint>
#include <string_view>

namespace gradus {

class DeviceCall;

/// c [m, n] = a b, where a is [m, k] (stored [k, m] if transpose_a) and b is [k, n] (stored [n, k] if
/// transpose_b), all row-major; c += a b where `add`. T is float, double, int32_t or int64_t; integers wrap around.
/// Rows are dealt to threads in pieces that depend on the sizes alone, and one thread computes each, so the bits do not
/// depend on the number of threads. Throws ValueError for a dimension of 2^31 or more where BLAS computes it.
template <class T>
void gemm(Workers& workers, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, bool transpose_a, const T* b,
          bool transpose_b, T* c, bool add);

/// Before a thread calls BLAS or LAPACK. Throws DeviceError, naming the op, where there is no room for their memory.
void prepare_blas(std::string_view op);

/// On an accelerator: small products, and those of integers, are a kernel of ours, which a recording joins with its
/// neighbours; others are its library's.
void gemm(DeviceCall& call, const GemmWork& work);

}  // namespace gradus
