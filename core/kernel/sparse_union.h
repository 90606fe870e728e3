// Sparse values with different non-zeros, brought to common ones.
#pragma once

#include <gradus/core/graph/op.h>

namespace gradus {

/// Whether two values of the same sparse layout store the same positions.
bool same_non_zeros(const Value& a, const Value& b);

/// The non-zeros of either matrix, and the rows of either index (written to `both`, which is empty).
std::shared_ptr<const CsrPattern> unite(const CsrPattern& a, const CsrPattern& b);
void unite(const RowIndex& a, const RowIndex& b, RowIndex& both);

/// Writes value's numbers to `to`, whose positions include value's; the others become zero.
void spread(const Value& value, Value& to);

}  // namespace gradus
