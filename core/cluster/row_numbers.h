// Which rows of a table some indices name, and these indices with other numbers: the place of each row among those that
// are named. So rows that were fetched from their owners are a small table, in the order of the large one, and a plan
// reads it as it would read that.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <memory>
#include <span>
#include <vector>

namespace gradus {

/// The rows that indices name, ascending, each once: the columns of csr tensors, the values of integer ones. Throws
/// ValueError for a number below 0 or above max_sparse_dimension.
std::shared_ptr<const RowIndex> rows_named(std::span<const Tensor> indices);

/// The index with the place of each row among `rows`, which has all; of a csr one the columns are `capacity` many then.
Tensor renumbered(const Tensor& index, const RowIndex& rows, std::int64_t capacity);

/// Rows of a table, and zeros up to `capacity`.   [p, ...] -> [capacity, ...]
Tensor rows_of(const Tensor& table, const RowIndex& rows, std::int64_t capacity);

/// Rows that a small table's rows tensor holds, as rows of the large one.
Tensor in_table(const Tensor& sum, const std::shared_ptr<const RowIndex>& rows, std::int64_t table_rows);

}  // namespace gradus
