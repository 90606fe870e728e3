// Products of a csr matrix and a dense one, and of rows with rows, in plain memory. Each result element is summed by
// one thread in the order of the non-zeros.
#pragma once

#include <gradus/core/device/device_call.h>
#include <gradus/core/graph/op.h>

namespace gradus {

/// y [n, k] = x b, for x csr [n, p] and b [p, k], dense or the part of it that x touches.
template <class T>
void csr_times_dense(Workers& workers, const Value& x, const Value& b, T* y);

/// y = x^T b for x csr [n, p] and b [n, k]: [p, k], or where the call's output is rows, only the rows that x's pattern
/// touches. Row i of b is multiplied by scale[i] where there is a scale. Added to y where call.adds. Works in the
/// call's scratch memory.
template <class T>
void csr_transposed_times_dense(Call& call, const Value& x, const T* b, std::int64_t k, T* y, const T* scale = nullptr);

/// y [m, p] = a x, for a [m, n] and x csr [n, p].
template <class T>
void dense_times_csr(Workers& workers, const T* a, std::int64_t m, const Value& x, T* y);

/// y [m, n] = a x^T, for a [m, p] and x csr [n, p].
template <class T>
void dense_times_csr_transposed(Workers& workers, const T* a, std::int64_t m, const Value& x, T* y);

/// y [n] = a_i . b_i, for a and b [n, k].
template <class T>
void dot_rows(const T* a, const T* b, std::int64_t n, std::int64_t k, T* y);

/// y [non-zeros] = u_i . v_j for each non-zero (i, j), for u [n, k] and v [p, k].
template <class T>
void sampled_product(Workers& workers, const CsrPattern& pattern, const T* u, const T* v, std::int64_t k, T* y);

/// The same on an accelerator: x b to the output, and so on. `scale`, where there is one, is a column beside b's rows.
void csr_times_dense(DeviceCall& call, const Value& x, const Value& b);
void csr_transposed_times_dense(DeviceCall& call, const Value& x, const Value& b, const std::byte* scale = nullptr);
void dense_times_csr(DeviceCall& call, const Value& a, const Value& x);
void dense_times_csr_transposed(DeviceCall& call, const Value& a, const Value& x);
void dot_rows(DeviceCall& call, const Value& a, const Value& b, Value& y);
void sampled_product(DeviceCall& call, const Value& pattern, const Value& u, const Value& v);

}  // namespace gradus
