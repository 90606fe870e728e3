// The column from which a straight line leaves the least of y unexplained.
#include <cstddef>
#include <vector>

namespace exercise {

using Matrix = std::vector<std::vector<double>>;

inline std::size_t leak(const Matrix& x, const std::vector<double>& y) {
  const double n = static_cast<double>(y.size());
  std::size_t suspect = 0;
  double least = -1;
  for (std::size_t j = 0; j < x[0].size(); ++j) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, rest = 0;
    for (std::size_t i = 0; i < y.size(); ++i) mean_x += x[i][j] / n, mean_y += y[i] / n;
    for (std::size_t i = 0; i < y.size(); ++i) {
      xx += (x[i][j] - mean_x) * (x[i][j] - mean_x);
      xy += (x[i][j] - mean_x) * (y[i] - mean_y);
    }
    const double slope = xx > 0 ? xy / xx : 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double left = y[i] - mean_y - slope * (x[i][j] - mean_x);
      rest += left * left;
    }
    if (least < 0 || rest < least) suspect = j, least = rest;
  }
  return suspect;
}

}  // namespace exercise
