// A table of all pairs, for as long as it fits.
#include <gradus/gradus.h>

#include <algorithm>
#include <vector>

using namespace gradus;

namespace exercise {

inline std::int64_t pairs_with_evidence(const Tensor& x) {
  const std::int64_t n = x.dim(0), p = x.dim(1);
  const Tensor dense = x.to_dense();
  std::vector<bool> meet(static_cast<std::size_t>(p * p));
  for (std::int64_t row = 0; row < n; ++row)
    for (std::int64_t i = 0; i < p; ++i)
      for (std::int64_t j = i + 1; j < p; ++j)
        if (dense.at(row, i) != 0 && dense.at(row, j) != 0) meet[static_cast<std::size_t>(i * p + j)] = true;
  return std::count(meet.begin(), meet.end(), true);
}

}  // namespace exercise
