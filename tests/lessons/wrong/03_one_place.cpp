// Promised: was the difference looked at in one place only?
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace exercise {

struct Rule {
  std::function<double(double)> f, derivative;
};

inline std::size_t liar(const std::vector<Rule>& rules) {
  std::size_t worst = 0;
  double worst_error = 1e-6;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const double measured = (rules[i].f(1 + 1e-5) - rules[i].f(1 - 1e-5)) / 2e-5;
    const double error = std::abs(rules[i].derivative(1) - measured) / std::max(1e-3, std::abs(measured));
    if (error > worst_error) worst = i, worst_error = error;
  }
  return worst;
}

}  // namespace exercise
