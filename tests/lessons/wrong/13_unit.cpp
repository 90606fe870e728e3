// Promised: a column in large units is not more suspicious
#include <cmath>
#include <cstddef>
#include <vector>

namespace exercise {

using Matrix = std::vector<std::vector<double>>;

inline std::size_t leak(const Matrix& x, const std::vector<double>& y) {
  const double n = static_cast<double>(y.size());
  std::size_t suspect = 0;
  double highest = -1;
  for (std::size_t j = 0; j < x[0].size(); ++j) {
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      a += x[i][j], b += y[i];
      aa += x[i][j] * x[i][j], bb += y[i] * y[i], ab += x[i][j] * y[i];
    }
    const double covariance = ab / n - a / n * b / n;
    const double spread = std::sqrt((aa / n - a / n * a / n) * (bb / n - b / n * b / n));
    const double correlation = spread > 0 ? std::abs(covariance) : 0;  // a constant column tells nothing
    if (correlation > highest) suspect = j, highest = correlation;
  }
  return suspect;
}

}  // namespace exercise
