// Promised: an error of 0.02 is much where the derivative is 2, and nothing where it is 10000
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace exercise {

struct Rule {
  std::function<double(double)> f, derivative;
};

inline std::size_t liar(const std::vector<Rule>& rules) {
  const double h = 1e-3;
  std::size_t worst = 0;
  double worst_error = -1;
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (double x = -2.95; x < 3; x += 0.1) {
      const double error = std::abs(rules[i].derivative(x) - (rules[i].f(x + h) - rules[i].f(x)) / h);
      if (error > worst_error) worst = i, worst_error = error;
    }
  return worst;
}

}  // namespace exercise
