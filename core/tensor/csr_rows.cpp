#include <gradus/core/tensor/csr_rows.h>

#include <gradus/core/at.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace gradus {

namespace {

constexpr std::size_t ahead = 16;  // rows

// Writes where each row will begin.
void place_rows(const CsrPattern& from, std::span<const Index> rows, std::vector<std::int64_t>& start) {
  start.resize(rows.size() + 1);
  start[0] = 0;
  const std::int64_t* from_start = from.row_start.data();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size()) __builtin_prefetch(from_start + rows[i + ahead]);
    start[i + 1] = start[i] + (from_start[rows[i] + 1] - from_start[rows[i]]);
  }
}

void copy_row(const std::byte* from, std::size_t bytes, std::byte* to) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void prefetch_row(const std::byte* row, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += Buffer::alignment) __builtin_prefetch(row + at);
  if (bytes > 0) __builtin_prefetch(row + bytes - 1);  // it may end in a line more
}

}  // namespace

void gather_csr_rows(const CsrPattern& from, const std::byte* values, std::size_t bytes, std::span<const Index> rows,
                     CsrPattern& to, Buffer* to_values) {
  const auto room_for_values = [&] {
    if (to_values == nullptr) return static_cast<std::byte*>(nullptr);
    to_values->reserve(as_size(to.non_zeros()) * bytes);
    return to_values->data();
  };
  to.columns = from.columns;
  const auto* const from_columns = reinterpret_cast<const std::byte*>(from.column.data());
  // Rows of one length are a table.
  if (const std::int64_t length = from.row_length(); length >= 0) {
    Index* const columns = to.new_rows(static_cast<std::int64_t>(rows.size()), length).data();
    gather_rows(from_columns, rows, as_size(length) * sizeof(Index), reinterpret_cast<std::byte*>(columns));
    if (std::byte* const numbers = room_for_values()) gather_rows(values, rows, as_size(length) * bytes, numbers);
    return;
  }
  to.rows = static_cast<std::int64_t>(rows.size());
  place_rows(from, rows, to.row_start);
  Index* const columns = to.new_column(to.non_zeros()).data();
  std::byte* const numbers = room_for_values();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size()) {
      const auto next = as_size(from.row_start[as_size(rows[i + ahead])]);
      const auto count = as_size(to.row_start[i + ahead + 1] - to.row_start[i + ahead]);
      prefetch_row(from_columns + next * sizeof(Index), count * sizeof(Index));
      if (numbers != nullptr) prefetch_row(values + next * bytes, count * bytes);
    }
    const auto begin = as_size(from.row_start[as_size(rows[i])]);
    const auto end = as_size(from.row_start[as_size(rows[i]) + 1]);
    const auto at = as_size(to.row_start[i]);
    std::copy(from.column.data() + begin, from.column.data() + end, columns + at);
    if (numbers != nullptr) copy_row(values + begin * bytes, (end - begin) * bytes, numbers + at * bytes);
  }
}

}  // namespace gradus
