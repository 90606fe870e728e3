#include <gradus/models/data/reader.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <new>

namespace gradus {

std::string Columns::name(std::int64_t column, int first_index) const {
  if (relations && column >= count) return relations->name(column - count);
  if (table) return table->name(column);
  if (hash_bits > 0) return fmt::format("hashed {}", column);
  if (ids) return fmt::to_string(ids->index()[static_cast<std::size_t>(column)]);
  return fmt::to_string(column + first_index);
}

std::vector<Index> Columns::groups() const {
  std::vector<Index> out = field ? *field : std::vector<Index>();
  if (out.empty() || !relations) return out;
  const std::vector<Index> joined = relations->fields(*std::max_element(out.begin(), out.end()) + 1);
  out.insert(out.end(), joined.begin(), joined.end());
  return out;
}

void add_counts(std::vector<std::int64_t>& sums, const std::vector<std::int64_t>& counts) {
  sums.resize(std::max(sums.size(), counts.size()));
  for (std::size_t i = 0; i < counts.size(); ++i) sums[i] += counts[i];
}

ReadRows Reader::next(std::int64_t count) {
  try {
    ReadRows rows = read(count);
    if (rows.size() > 0) rows.columns.count = rows.x.dim(1);
    return rows;
  } catch (const std::bad_alloc&) {
    fail<IoError>("{}: memory does not suffice to read on", place());
  }
}

}  // namespace gradus
