// The checks of a CSR pattern, and its transpose. The transpose is a stable sort of the non-zeros by column:
// since they are stored row by row, stable means that rows ascend within each column.
#include <gradus/core/sparse.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

using Positions = std::vector<std::int64_t>;

std::size_t as_size(std::int64_t i) { return static_cast<std::size_t>(i); }

// One stable pass of a counting sort: `order` by key(position), keys in [0, buckets).
template <class Key>
void counting_pass(const Positions& order, Positions& sorted, std::vector<std::int64_t>& starts, std::size_t buckets,
                   Key&& key) {
  starts.assign(buckets + 1, 0);
  for (const std::int64_t position : order) ++starts[key(position) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  for (const std::int64_t position : order) sorted[as_size(starts[key(position)]++)] = position;
}

std::string name_of(const CsrPattern& pattern) { return fmt::format("csr [{}, {}]", pattern.rows, pattern.columns); }

// Positions in the order of their columns. A single pass over all columns is fastest while they are about as
// many as the non-zeros; beyond that, passes over 11 bits of the column at a time cost the non-zeros only.
Positions sort_by_column(const std::vector<Index>& column, std::int64_t columns) {
  constexpr int digit_bits = 11;
  Positions order(column.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  Positions sorted(column.size());
  std::vector<std::int64_t> starts;
  if (columns / 4 <= static_cast<std::int64_t>(column.size()) + (std::int64_t{1} << digit_bits)) {
    counting_pass(order, sorted, starts, as_size(columns), [&](std::int64_t p) { return as_size(column[as_size(p)]); });
    return sorted;
  }
  for (int shift = 0; (columns - 1) >> shift != 0; shift += digit_bits) {
    counting_pass(order, sorted, starts, std::size_t{1} << digit_bits, [&](std::int64_t p) {
      return as_size(column[as_size(p)] >> shift) & ((std::size_t{1} << digit_bits) - 1);
    });
    std::swap(order, sorted);
  }
  return order;
}

}  // namespace

const CsrPattern::ByColumn& CsrPattern::by_column() const {
  std::call_once(once_, [this] {
    Positions position = sort_by_column(column, columns);

    std::vector<Index> row_of(column.size());
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t p = row_start[as_size(r)]; p < row_start[as_size(r + 1)]; ++p)
        row_of[as_size(p)] = static_cast<Index>(r);

    auto touched = std::make_shared<RowIndex>();
    by_column_.row.reserve(column.size());
    by_column_.slot.resize(column.size());
    for (std::size_t i = 0; i < position.size(); ++i) {
      const Index c = column[as_size(position[i])];
      if (i == 0 || c != touched->row.back()) {
        touched->row.push_back(c);
        by_column_.start.push_back(static_cast<std::int64_t>(i));
      }
      by_column_.row.push_back(row_of[as_size(position[i])]);
      by_column_.slot[as_size(position[i])] = static_cast<Index>(touched->row.size() - 1);
    }
    by_column_.start.push_back(static_cast<std::int64_t>(position.size()));
    by_column_.position = std::move(position);
    by_column_.touched = std::move(touched);
  });
  return by_column_;
}

void CsrPattern::check_row_start(std::int64_t columns_given) const {
  const std::string name = name_of(*this);
  if (rows < 0 || columns < 0 || rows > max_sparse_dimension || columns > max_sparse_dimension)
    fail<ValueError>("{}: a CSR matrix has 0 to {} rows and columns", name, max_sparse_dimension);
  if (row_start.size() != as_size(rows) + 1)
    fail<ValueError>("{}: row_start has {} entries; rows + 1 = {} are needed", name, row_start.size(), rows + 1);
  if (row_start[0] != 0) fail<ValueError>("{}: row_start begins with {}; it must begin with 0", name, row_start[0]);
  for (std::int64_t r = 0; r < rows; ++r)
    if (row_start[as_size(r + 1)] < row_start[as_size(r)])
      fail<ValueError>("{}: row {} starts at {} but ends at {}; row_start must not fall", name, r,
                       row_start[as_size(r)], row_start[as_size(r + 1)]);
  if (row_start.back() != columns_given)
    fail<ValueError>("{}: row_start ends with {} but {} columns are given; the two must agree", name, row_start.back(),
                     columns_given);
}

void CsrPattern::check() const {
  check_row_start(static_cast<std::int64_t>(column.size()));
  const std::string name = name_of(*this);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t p = row_start[as_size(r)]; p < row_start[as_size(r + 1)]; ++p) {
      const Index c = column[as_size(p)];
      if (c < 0 || c >= columns)
        fail<ValueError>("{}: row {} names column {}; columns are 0 to {}", name, r, c, columns - 1);
      if (p == row_start[as_size(r)]) continue;
      const Index before = column[as_size(p - 1)];
      if (c == before) fail<ValueError>("{}: row {} names column {} twice", name, r, c);
      if (c < before)
        fail<ValueError>("{}: row {} names column {} after column {}; columns must ascend", name, r, c, before);
    }
  }
}

}  // namespace gradus
