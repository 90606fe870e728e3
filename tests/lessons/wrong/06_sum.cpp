// Promised: the error is a mean: each row counts one n-th
#include <cstddef>
#include <vector>

namespace exercise {

using Matrix = std::vector<std::vector<double>>;

inline std::vector<double> ridge_gradient(const Matrix& x, const std::vector<double>& y, const std::vector<double>& w,
                                          double lambda) {
  const double n = static_cast<double>(x.size());
  std::vector<double> d(w.size());
  for (std::size_t j = 0; j < w.size(); ++j) d[j] = 2 * lambda * w[j];
  for (std::size_t i = 0; i < x.size(); ++i) {
    double residual = y[i];
    for (std::size_t j = 0; j < w.size(); ++j) residual -= x[i][j] * w[j];
    for (std::size_t j = 0; j < w.size(); ++j) d[j] -= 2 * residual * x[i][j] + 0 * n;
  }
  return d;
}

}  // namespace exercise
