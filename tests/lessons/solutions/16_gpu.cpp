#include <cstddef>
#include <functional>
#include <vector>

namespace exercise {

using Elements = std::function<double(std::size_t thread, std::size_t i)>;

// [solution]
inline double sum(const Elements& x, std::size_t n, std::size_t threads) {
  const std::size_t size = 256, blocks = (n + size - 1) / size;
  std::vector<double> of_block(blocks, 0);
  for (std::size_t thread = 0; thread < threads; ++thread)
    for (std::size_t b = thread; b < blocks; b += threads)
      for (std::size_t i = b * size; i < n && i < (b + 1) * size; ++i) of_block[b] += x(thread, i);
  double total = 0;
  for (const double one : of_block) total += one;  // in the order of the blocks, not of the threads
  return total;
}
// [/]

}  // namespace exercise
