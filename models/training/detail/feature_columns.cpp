#include <gradus/models/training/detail/feature_columns.h>

#include <algorithm>
#include <utility>

namespace gradus {

std::vector<Index> all_in_groups(std::vector<Index> group, std::int64_t p) {
  group.resize(static_cast<std::size_t>(p), 0);
  const Index groups = *std::max_element(group.begin(), group.end()) + 1;
  for (Index& each : group)
    if (each < 0) each = groups;
  return group;
}

std::vector<FeatureColumn> columns_of(const CsrPattern& pattern, const std::vector<Index>& group) {
  std::vector<FeatureColumn> out(static_cast<std::size_t>(*std::max_element(group.begin(), group.end())) + 1);
  for (std::size_t i = 0; i < group.size(); ++i)
    out[static_cast<std::size_t>(group[i])].features.push_back(static_cast<Index>(i));
  std::vector<std::int64_t> seen(out.size(), -1);  // in which row last
  for (std::int64_t n = 0; n < pattern.rows; ++n)
    for (std::int64_t at = pattern.row_start[static_cast<std::size_t>(n)];
         at < pattern.row_start[static_cast<std::size_t>(n) + 1]; ++at) {
      const auto g =
          static_cast<std::size_t>(group[static_cast<std::size_t>(pattern.column[static_cast<std::size_t>(at)])]);
      if (std::exchange(seen[g], n) == n) out[g].one_hot = false;
    }
  return out;
}

std::vector<Index> columns_by_place(const CsrPattern& pattern) {
  const std::int64_t places = pattern.row_length();
  if (places < 2) return {};
  std::vector<Index> out(static_cast<std::size_t>(pattern.columns), -1);
  for (std::int64_t at = 0; at < pattern.non_zeros(); ++at) {
    Index& place = out[static_cast<std::size_t>(pattern.column[static_cast<std::size_t>(at)])];
    const auto here = static_cast<Index>(at % places);
    if (place >= 0 && place != here) return {};
    place = here;
  }
  return out;
}

}  // namespace gradus
