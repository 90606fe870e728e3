// Promised: a feature makes no pair with itself
#include <cstddef>
#include <vector>

namespace exercise {

inline double best_factor(double v, const std::vector<double>& x, const std::vector<double>& q,
                          const std::vector<double>& e, double lambda) {
  double he = 0, hh = 0;
  for (std::size_t n = 0; n < x.size(); ++n) {
    const double h = x[n] * q[n];
    he += h * e[n];
    hh += h * h;
  }
  return v - (he + lambda * v) / (hh + lambda);
}

}  // namespace exercise
