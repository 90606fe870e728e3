// Each feature meets the sum of those before it; nothing is subtracted.
#include <functional>
#include <utility>
#include <vector>

namespace exercise {

using Row = std::vector<std::pair<int, double>>;
using Factors = std::function<double(int feature, int factor)>;

inline double interactions(const Row& x, const Factors& v, int k) {
  double sum = 0;
  for (int f = 0; f < k; ++f) {
    double before = 0;
    for (const auto& [i, value] : x) {
      const double term = v(i, f) * value;
      sum += before * term;
      before += term;
    }
  }
  return sum;
}

inline double gradient(const Row& x, const Factors& v, int f, std::size_t at) {
  double all = 0;
  for (const auto& [i, value] : x) all += v(i, f) * value;
  return x[at].second * (all - v(x[at].first, f) * x[at].second);
}

}  // namespace exercise
