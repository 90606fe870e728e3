// Promised: e is what is left with v as it is
#include <cstddef>
#include <vector>

namespace exercise {

inline double best_factor(double v, const std::vector<double>& x, const std::vector<double>& q,
                          const std::vector<double>& e, double lambda) {
  double he = 0, hh = 0;
  for (std::size_t n = 0; n < x.size(); ++n) {
    const double h = x[n] * (q[n] - v * x[n]);
    he += h * e[n];
    hh += h * h;
  }
  return -he / (hh + lambda);
}

}  // namespace exercise
