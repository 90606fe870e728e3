// The integral of the derivative is how far f rises: over many short stretches, by Gauss's two points in each.
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace exercise {

struct Rule {
  std::function<double(double)> f, derivative;
};

inline std::size_t liar(const std::vector<Rule>& rules) {
  const double half = 0.05, point = half / std::sqrt(3.0);
  std::size_t worst = 0;
  double worst_error = -1;
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (int stretch = -30; stretch < 30; ++stretch) {
      const double middle = 0.1 * stretch + half;
      const double claimed = half * (rules[i].derivative(middle - point) + rules[i].derivative(middle + point));
      const double rise = rules[i].f(middle + half) - rules[i].f(middle - half);
      const double error = std::abs(claimed - rise) / std::max(1e-4, std::abs(rise));
      if (error > worst_error) worst = i, worst_error = error;
    }
  return worst;
}

}  // namespace exercise
