// Rows of a table by number, into a block and back: what every step on a large table moves. The rows ahead are asked
// for while one is moved, since they are met in no order that the processor could foresee.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace gradus {

/// How many rows are worth a thread.
std::int64_t rows_at_a_time(std::size_t bytes);

/// Whether a table of `count` rows has all of these.
bool all_below(std::int64_t count, std::span<const Index> rows);
bool all_below(std::int64_t count, std::span<const std::int64_t> rows);

/// In both, `next_rows` more row numbers follow those of `rows` in memory: the next tile's, which are asked for ahead.
/// block[i] = table[rows[i]], each of `bytes` bytes.
void gather_rows(const std::byte* table, std::span<const Index> rows, std::size_t bytes, std::byte* block,
                 std::size_t next_rows = 0);
void gather_rows(const std::byte* table, std::span<const std::int64_t> rows, std::size_t bytes, std::byte* block,
                 std::size_t next_rows = 0);
/// table[rows[i]] = block[i]
void scatter_rows(const std::byte* block, std::span<const Index> rows, std::size_t bytes, std::byte* table,
                  std::size_t next_rows = 0);

}  // namespace gradus
