// Between layouts, for the other pages: what the sparse ops need of one another.
#pragma once

#include <gradus/core/op.h>

namespace gradus {

/// Throws TypeError, naming the op, unless input i is dense.
void require_dense(std::string_view op, const OpInputs& in, int i, std::string_view letter);

/// x, dense if it was of layout rows.
Expr without_rows(const Operand& x);

/// The gradient that a csr value sends to the dense operand it was multiplied by: g summed over the axes along
/// which x is broadcast.   csr [n, p], [p] -> rows [p];  csr [n, p], [n, 1] or [] -> dense
Expr sum_csr_like(const Expr& g, const Expr& x);

/// Sums of the values [non-zeros] of a pattern by row into y [rows], and by column into y [touched columns].
template <class T>
void sum_by_row(Workers& workers, const CsrPattern& pattern, const T* values, T* y);
template <class T>
void sum_by_column(Workers& workers, const CsrPattern& pattern, const T* values, T* y);

}  // namespace gradus
