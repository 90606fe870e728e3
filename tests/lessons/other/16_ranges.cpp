// Each thread takes neighbouring blocks, and the blocks' sums are added in pairs.
#include <cstddef>
#include <functional>
#include <vector>

namespace exercise {

using Elements = std::function<double(std::size_t thread, std::size_t i)>;

inline double sum(const Elements& x, std::size_t n, std::size_t threads) {
  const std::size_t size = 64, blocks = (n + size - 1) / size;
  std::vector<double> sums(blocks, 0);
  for (std::size_t thread = 0; thread < threads; ++thread)
    for (std::size_t b = blocks * thread / threads; b < blocks * (thread + 1) / threads; ++b)
      for (std::size_t i = b * size; i < n && i < (b + 1) * size; ++i) sums[b] += x(thread, i);
  for (std::size_t left = sums.size(); left > 1; left = (left + 1) / 2)
    for (std::size_t b = 0; b < left / 2; ++b) sums[b] += sums[left - 1 - b];
  return sums.empty() ? 0 : sums[0];
}

}  // namespace exercise
