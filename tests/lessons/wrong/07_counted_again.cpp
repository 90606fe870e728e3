// Promised: a pair that meets in two rows is one pair
#include <gradus/gradus.h>
#include <set>
#include <utility>

using namespace gradus;

namespace exercise {

inline std::int64_t pairs_with_evidence(const Tensor& x) {
  const CsrPattern& pattern = *x.pattern();
  const std::span<const double> value = x.span<double>();
  std::set<std::pair<Index, Index>> seen;
  for (std::size_t row = 0; row + 1 < pattern.row_start.size(); ++row) {
    const auto first = static_cast<std::size_t>(pattern.row_start[row]);
    const auto end = static_cast<std::size_t>(pattern.row_start[row + 1]);
    for (std::size_t i = first; i < end; ++i)
      for (std::size_t j = i + 1; j < end; ++j)
        if (value[i] != 0 && value[j] != 0) seen.emplace(static_cast<Index>(i), static_cast<Index>(j));
  }
  return static_cast<std::int64_t>(seen.size());
}

}  // namespace exercise
