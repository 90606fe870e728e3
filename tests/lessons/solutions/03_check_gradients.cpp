#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace exercise {

struct Rule {
  std::function<double(double)> f, derivative;
};

// [solution]
inline std::size_t liar(const std::vector<Rule>& rules) {
  const double h = 1e-5;
  std::size_t worst = 0;
  double worst_error = -1;
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (double x = -2.95; x < 3; x += 0.1) {  // many places, on both sides of 0, and not 0 itself
      const double claimed = rules[i].derivative(x);
      const double measured = (rules[i].f(x + h) - rules[i].f(x - h)) / (2 * h);
      const double error = std::abs(claimed - measured) / std::max(1e-3, std::abs(measured));  // relative
      if (error > worst_error) worst = i, worst_error = error;
    }
  return worst;
}
// [/]

}  // namespace exercise
