#include <cmath>
#include <functional>
#include <vector>

namespace exercise {

// [solution]
inline std::vector<double> trajectory(double w, const std::function<double(double)>& gradient, double rate,
                                      double initial, int steps) {
  std::vector<double> all;
  double accumulator = initial;
  for (int step = 0; step < steps; ++step) {
    const double g = gradient(w);
    accumulator += g * g;
    w -= rate * g / std::sqrt(accumulator);
    all.push_back(w);
  }
  return all;
}
// [/]

}  // namespace exercise
