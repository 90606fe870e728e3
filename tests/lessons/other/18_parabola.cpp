// A parabola through three points has its lowest point where they say.
#include <cstddef>
#include <vector>

namespace exercise {

inline double best_factor(double v, const std::vector<double>& x, const std::vector<double>& q,
                          const std::vector<double>& e, double lambda) {
  const auto loss = [&](double t) {
    double sum = lambda * t * t;
    for (std::size_t n = 0; n < x.size(); ++n) {
      const double moved = e[n] + (t - v) * (x[n] * q[n] - v * x[n] * x[n]);
      sum += moved * moved;
    }
    return sum;
  };
  const double below = loss(v - 1), here = loss(v), above = loss(v + 1);
  return v - (above - below) / 2 / (above - 2 * here + below);
}

}  // namespace exercise
