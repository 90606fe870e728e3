// Between layouts, for the other pages: what the sparse ops need of one another.
#pragma once

#include <gradus/core/device/device_call.h>
#include <gradus/core/graph/op.h>

namespace gradus {

/// x, written out if it was of layout rows: for ops that need every row of a gradient.
Operand without_rows(const Operand& x);

/// On an accelerator: to the output, what a csr or rows value holds, and zeros.
void write_out(DeviceCall& call, const Value& x);

/// The gradient that a csr value sends to the dense operand it was multiplied by: g summed over the axes along
/// which x is broadcast.   csr [n, p], [p] -> rows [p];  csr [n, p], [n, 1] or [] -> dense
Expr sum_csr_like(const Expr& g, const Expr& x);

/// Sums of the values of a csr matrix: of each row [rows], of each column [columns], of all.
void sum_csr_rows(Workers& workers, const Value& x, std::byte* y, double scale);
void sum_csr_columns(Workers& workers, const Value& x, std::byte* y, double scale);
void sum_csr(Workers& workers, const Value& x, std::byte* y, double scale);
/// The same on an accelerator, for call.out() = y.
void sum_csr_rows(DeviceCall& call, const Value& x, std::byte* y, double scale);
void sum_csr_columns(DeviceCall& call, const Value& x, std::byte* y, double scale);
void sum_csr(DeviceCall& call, const Value& x, std::byte* y, double scale);

}  // namespace gradus
