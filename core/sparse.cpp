// The checks of a CSR pattern, and its transpose. The transpose is a stable sort of the non-zeros by column:
// since they are stored row by row, stable means that rows ascend within each column.
#include <gradus/core/sparse.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <cstddef>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

// A non-zero, as the sort carries it: to look its column up at each pass would miss the cache.
struct NonZero {
  Index column;
  Index row;
  std::int64_t position;
};

std::size_t as_size(std::int64_t i) { return static_cast<std::size_t>(i); }

std::string name_of(const CsrPattern& pattern) { return fmt::format("csr [{}, {}]", pattern.rows, pattern.columns); }

// One stable pass of a counting sort by `digit`, which is below `digits`.
template <class Digit>
void counting_pass(const std::vector<NonZero>& from, std::vector<NonZero>& to, std::vector<std::int64_t>& starts,
                   std::size_t digits, Digit&& digit) {
  starts.assign(digits + 1, 0);
  for (const NonZero& entry : from) ++starts[digit(entry) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  for (const NonZero& entry : from) to[as_size(starts[digit(entry)]++)] = entry;
}

// Sorts by column, keeping the order within each. A single pass over all columns is fastest while they are few
// next to the non-zeros; beyond that, passes over 11 bits of the column at a time cost the non-zeros only.
void sort_by_column(std::vector<NonZero>& entries, std::int64_t columns) {
  constexpr int digit_bits = 11;
  constexpr std::size_t digits = std::size_t{1} << digit_bits;
  std::vector<NonZero> sorted(entries.size());
  std::vector<std::int64_t> starts;
  if (as_size(columns) <= digits || as_size(columns) <= entries.size() / 4) {
    counting_pass(entries, sorted, starts, as_size(columns),
                  [](const NonZero& entry) { return as_size(entry.column); });
    entries.swap(sorted);
    return;
  }
  for (int shift = 0; (columns - 1) >> shift != 0; shift += digit_bits) {
    counting_pass(entries, sorted, starts, digits,
                  [&](const NonZero& entry) { return as_size(entry.column >> shift) % digits; });
    entries.swap(sorted);
  }
}

}  // namespace

const CsrPattern::ByColumn& CsrPattern::by_column() const {
  std::call_once(once_, [this] {
    std::vector<NonZero> entries(column.size());
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t p = row_start[as_size(r)]; p < row_start[as_size(r + 1)]; ++p)
        entries[as_size(p)] = {column[as_size(p)], static_cast<Index>(r), p};
    sort_by_column(entries, columns);

    auto touched = std::make_shared<RowIndex>();
    by_column_.row.reserve(entries.size());
    by_column_.position.reserve(entries.size());
    by_column_.slot.resize(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i == 0 || entries[i].column != entries[i - 1].column) {
        touched->row.push_back(entries[i].column);
        by_column_.start.push_back(static_cast<std::int64_t>(i));
      }
      by_column_.row.push_back(entries[i].row);
      by_column_.position.push_back(entries[i].position);
      by_column_.slot[as_size(entries[i].position)] = static_cast<Index>(touched->row.size() - 1);
    }
    by_column_.start.push_back(static_cast<std::int64_t>(entries.size()));
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
