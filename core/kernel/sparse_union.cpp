#include <gradus/core/kernel/sparse_union.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

namespace gradus {

bool same_non_zeros(const Value& a, const Value& b) {
  if (a.type.layout == Layout::csr) {
    if (a.pattern == b.pattern) return true;
    return a.pattern->columns == b.pattern->columns && a.pattern->row_start == b.pattern->row_start &&
           std::ranges::equal(a.pattern->column, b.pattern->column);
  }
  return a.index == b.index || a.index->row == b.index->row;
}

std::shared_ptr<const CsrPattern> unite(const CsrPattern& a, const CsrPattern& b) {
  auto both = std::make_shared<CsrPattern>();
  both->rows = a.rows;
  both->columns = a.columns;
  both->row_start.reserve(a.row_start.size());
  std::vector<Index> column;
  column.reserve(a.column.size() + b.column.size());
  const auto row_of = [](const CsrPattern& m, std::size_t row) {
    return m.column.subspan(static_cast<std::size_t>(m.row_start[row]),
                            static_cast<std::size_t>(m.row_start[row + 1] - m.row_start[row]));
  };
  for (std::size_t row = 0; row < static_cast<std::size_t>(a.rows); ++row) {
    const auto of_a = row_of(a, row);
    const auto of_b = row_of(b, row);
    std::set_union(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), std::back_inserter(column));
    both->row_start.push_back(static_cast<std::int64_t>(column.size()));
  }
  both->set_column(std::move(column));
  return both;
}

void unite(const RowIndex& a, const RowIndex& b, RowIndex& both) {
  both.row.reserve(a.row.size() + b.row.size());
  std::set_union(a.row.begin(), a.row.end(), b.row.begin(), b.row.end(), std::back_inserter(both.row));
}

void spread(const Value& value, Value& to) {
  const std::size_t element = size_of(value.type.dtype);
  std::memset(to.data, 0, static_cast<std::size_t>(to.stored) * element);
  if (value.type.layout == Layout::csr) {
    const CsrPattern& small = *value.pattern;
    const CsrPattern& large = *to.pattern;
    for (std::size_t row = 0; row < static_cast<std::size_t>(small.rows); ++row) {
      auto at = static_cast<std::size_t>(large.row_start[row]);
      for (auto j = static_cast<std::size_t>(small.row_start[row]);
           j < static_cast<std::size_t>(small.row_start[row + 1]); ++j) {
        while (large.column[at] != small.column[j]) ++at;
        std::memcpy(to.data + at * element, value.data + j * element, element);
      }
    }
    return;
  }
  const std::size_t row_bytes = static_cast<std::size_t>(value.row_size()) * element;
  std::size_t at = 0;
  for (std::size_t row = 0; row < value.index->row.size(); ++row) {
    while (to.index->row[at] != value.index->row[row]) ++at;
    std::memcpy(to.data + at * row_bytes, value.data + row * row_bytes, row_bytes);
  }
}

}  // namespace gradus
