// The checks of a CSR pattern, and what is found out about its columns.
#include <gradus/core/sparse.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

std::size_t as_size(std::int64_t i) { return static_cast<std::size_t>(i); }

std::string name_of(const CsrPattern& pattern) { return fmt::format("csr [{}, {}]", pattern.rows, pattern.columns); }

// By a bit for each column: one pass sets them, one over the words counts, and a column's slot is the number of bits
// before its own. The words are few next to the non-zeros unless almost all columns are empty.
void find_by_bits(const CsrPattern& pattern, std::vector<Index>& columns, std::vector<Index>& slot) {
  constexpr int word_bits = 64;
  const auto words = as_size(pattern.columns / word_bits + 1);
  std::vector<std::uint64_t> bits(words, 0);
  std::vector<Index> before(words);
  for (const Index c : pattern.column) bits[as_size(c / word_bits)] |= std::uint64_t{1} << (c % word_bits);
  Index count = 0;
  for (std::size_t word = 0; word < words; ++word) {
    before[word] = count;
    for (std::uint64_t rest = bits[word]; rest != 0; rest &= rest - 1) {
      columns.push_back(static_cast<Index>(word * word_bits + as_size(std::countr_zero(rest))));
      ++count;
    }
  }
  for (std::size_t j = 0; j < slot.size(); ++j) {
    const Index c = pattern.column[j];
    const std::size_t word = as_size(c / word_bits);
    const std::uint64_t below = bits[word] & ((std::uint64_t{1} << (c % word_bits)) - 1);
    slot[j] = before[word] + static_cast<Index>(std::popcount(below));
  }
}

void find_by_sorting(const CsrPattern& pattern, std::vector<Index>& columns, std::vector<Index>& slot) {
  columns = pattern.column;
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  for (std::size_t j = 0; j < slot.size(); ++j)
    slot[j] = static_cast<Index>(std::lower_bound(columns.begin(), columns.end(), pattern.column[j]) - columns.begin());
}

}  // namespace

const CsrPattern::Touched& CsrPattern::touched() const {
  constexpr std::int64_t most_columns_a_non_zero = 1024;
  std::call_once(touched_once_, [this] {
    auto index = std::make_shared<RowIndex>();
    index->row.reserve(as_size(std::min(columns, non_zeros())));
    touched_.slot.resize(column.size());
    if (columns / most_columns_a_non_zero <= non_zeros()) {
      find_by_bits(*this, index->row, touched_.slot);
    } else {
      find_by_sorting(*this, index->row, touched_.slot);
    }
    touched_.columns = std::move(index);
  });
  return touched_;
}

// A counting sort by slot: stable, so rows ascend within each column.
const CsrPattern::ByColumn& CsrPattern::by_column() const {
  std::call_once(by_column_once_, [this] {
    const Touched& found = touched();
    std::vector<std::int64_t>& start = by_column_.start;
    start.assign(as_size(found.columns->count()) + 1, 0);
    for (const Index slot : found.slot) ++start[as_size(slot) + 1];
    std::partial_sum(start.begin(), start.end(), start.begin());
    by_column_.row.resize(column.size());
    by_column_.position.resize(column.size());
    std::vector<std::int64_t> next = start;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t j = row_start[as_size(r)]; j < row_start[as_size(r + 1)]; ++j) {
        const auto to = as_size(next[as_size(found.slot[as_size(j)])]++);
        by_column_.row[to] = static_cast<Index>(r);
        by_column_.position[to] = j;
      }
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
