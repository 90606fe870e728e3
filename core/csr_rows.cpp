#include <gradus/core/csr_rows.h>

#include <gradus/core/table_rows.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace gradus {

namespace {

constexpr std::size_t ahead = 16;  // rows

std::size_t as_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// Writes where each row will begin, and returns how many non-zeros all rows of `from` would have each if they had as
// many as these, or -1: rows of one length everywhere are a table.
std::int64_t place_rows(const CsrPattern& from, std::span<const Index> rows, std::vector<std::int64_t>& start) {
  start.resize(rows.size() + 1);
  start[0] = 0;
  const std::int64_t* from_start = from.row_start.data();
  const std::int64_t length = rows.empty() ? -1 : from_start[rows[0] + 1] - from_start[rows[0]];
  bool is_table = true;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size()) __builtin_prefetch(from_start + rows[i + ahead]);
    const std::int64_t begin = from_start[rows[i]];
    const std::int64_t end = from_start[rows[i] + 1];
    is_table &= begin == rows[i] * length && end - begin == length;
    start[i + 1] = start[i] + (end - begin);
  }
  return is_table ? length : -1;
}

void copy_row(const std::byte* from, std::size_t bytes, std::byte* to) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void prefetch_row(const std::byte* row, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += Buffer::alignment) __builtin_prefetch(row + at);
}

}  // namespace

void gather_csr_rows(const CsrPattern& from, const std::byte* values, std::size_t bytes, std::span<const Index> rows,
                     CsrPattern& to, Buffer& to_values) {
  to.rows = static_cast<std::int64_t>(rows.size());
  to.columns = from.columns;
  const std::int64_t length = place_rows(from, rows, to.row_start);
  Index* const columns = to.new_column(to.non_zeros()).data();
  to_values.reserve(as_size(to.non_zeros()) * bytes);
  const auto* const from_columns = reinterpret_cast<const std::byte*>(from.column.data());
  if (length >= 0) {
    gather_rows(from_columns, rows, as_size(length) * sizeof(Index), reinterpret_cast<std::byte*>(columns));
    gather_rows(values, rows, as_size(length) * bytes, to_values.data());
    return;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + ahead < rows.size()) {
      const auto next = as_size(from.row_start[as_size(rows[i + ahead])]);
      const auto count = as_size(to.row_start[i + ahead + 1] - to.row_start[i + ahead]);
      prefetch_row(from_columns + next * sizeof(Index), count * sizeof(Index));
      prefetch_row(values + next * bytes, count * bytes);
    }
    const auto begin = as_size(from.row_start[as_size(rows[i])]);
    const auto end = as_size(from.row_start[as_size(rows[i]) + 1]);
    const auto at = as_size(to.row_start[i]);
    std::copy(from.column.data() + begin, from.column.data() + end, columns + at);
    copy_row(values + begin * bytes, (end - begin) * bytes, to_values.data() + at * bytes);
  }
}

}  // namespace gradus
