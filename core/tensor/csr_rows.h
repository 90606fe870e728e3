// Rows of a csr matrix by number, as a matrix of their own: what a shuffled batch is made of. Like table_rows.h, but
// the rows have lengths of their own, so where each begins must be known before it can be asked for.
#pragma once

#include <gradus/core/tensor/buffer.h>
#include <gradus/core/tensor/sparse.h>

#include <cstddef>
#include <span>

namespace gradus {

/// Makes `to` the rows `rows` of `from`, in this order, and to_values, if it is not null, their values, each of `bytes`
/// bytes. The memory of both is used again. Rows must be in range; one may be named more than once.
void gather_csr_rows(const CsrPattern& from, const std::byte* values, std::size_t bytes, std::span<const Index> rows,
                     CsrPattern& to, Buffer* to_values);

}  // namespace gradus
