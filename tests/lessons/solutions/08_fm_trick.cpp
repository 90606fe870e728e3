#include <functional>
#include <utility>
#include <vector>

namespace exercise {

using Row = std::vector<std::pair<int, double>>;
using Factors = std::function<double(int feature, int factor)>;

// [solution]
inline double interactions(const Row& x, const Factors& v, int k) {
  double sum = 0;
  for (int f = 0; f < k; ++f) {
    double all = 0, own = 0;
    for (const auto& [i, value] : x) {
      const double term = v(i, f) * value;
      all += term;
      own += term * term;
    }
    sum += 0.5 * (all * all - own);
  }
  return sum;
}

inline double gradient(const Row& x, const Factors& v, int f, std::size_t at) {
  double others = 0;
  for (std::size_t j = 0; j < x.size(); ++j)
    if (j != at) others += v(x[j].first, f) * x[j].second;
  return x[at].second * others;
}
// [/]

}  // namespace exercise
