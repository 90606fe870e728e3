// Rows of a table by number, into a block and back: what every step on a large table moves. The rows ahead are asked
// for while one is moved, since they are met in no order that the processor could foresee.
#pragma once

#include <gradus/core/sparse.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace gradus {

/// How many rows are worth a thread.
std::int64_t rows_at_a_time(std::size_t bytes);

/// block[i] = table[rows[i]], each of `bytes` bytes.
void gather_rows(const std::byte* table, std::span<const Index> rows, std::size_t bytes, std::byte* block);
/// table[rows[i]] = block[i]
void scatter_rows(const std::byte* block, std::span<const Index> rows, std::size_t bytes, std::byte* table);

}  // namespace gradus
