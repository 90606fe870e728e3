// The square as a product, the quotient with its derivatives as they stand.
#include "../../../examples/lessons/05_mini.h"

namespace exercise {

inline std::size_t square(Mini& m, std::size_t a) { return m.mul(a, a); }

inline std::size_t divide(Mini& m, std::size_t a, std::size_t b) {
  return m.add_node(
      {{a, b},
       [](const Mini& all, const Mini::Node& n) { return Mini::zip(all.in(n, 0), all.in(n, 1), std::divides<>()); },
       [](const Mini& all, const Mini::Node& n, const Matrix& dy, int i) {
         const Matrix by_a = Mini::zip(all.in(n, 0), all.in(n, 1), [](double, double y) { return 1 / y; });
         const Matrix by_b = Mini::zip(all.in(n, 0), all.in(n, 1), [](double x, double y) { return -x / (y * y); });
         return Mini::zip(dy, i == 0 ? by_a : by_b, std::multiplies<>());
       }});
}

}  // namespace exercise
