#include <cstddef>
#include <vector>

namespace exercise {

// [solution]
inline double best_factor(double v, const std::vector<double>& x, const std::vector<double>& q,
                          const std::vector<double>& e, double lambda) {
  double he = 0, hh = 0;
  for (std::size_t n = 0; n < x.size(); ++n) {
    const double h = x[n] * (q[n] - v * x[n]);  // d y_hat / dv: what the other features bring, not this one
    he += h * e[n];
    hh += h * h;
  }
  return v - (he + lambda * v) / (hh + lambda);  // where the derivative, 2 h (e + (t - v) h) + 2 lambda t, is 0
}
// [/]

}  // namespace exercise
