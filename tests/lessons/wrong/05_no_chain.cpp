// Promised: what arrived from above is a factor of what is handed down
#include "../../../examples/lessons/05_mini.h"

namespace exercise {

inline std::size_t square(Mini& m, std::size_t a) {
  return m.add_node(
      {{a},
       [](const Mini& all, const Mini::Node& n) { return Mini::zip(all.in(n, 0), all.in(n, 0), std::multiplies<>()); },
       [](const Mini& all, const Mini::Node& n, const Matrix& dy, int) {
         return Mini::zip(dy, all.in(n, 0), [](double d, double x) { return 2 * x + 0 * d; });
       }});
}

inline std::size_t divide(Mini& m, std::size_t a, std::size_t b) {
  return m.add_node(
      {{a, b},
       [](const Mini& all, const Mini::Node& n) { return Mini::zip(all.in(n, 0), all.in(n, 1), std::divides<>()); },
       [](const Mini& all, const Mini::Node& n, const Matrix& dy, int i) {
         const Matrix over_b = Mini::zip(dy, all.in(n, 1), std::divides<>());
         if (i == 0) return over_b;
         return Mini::zip(over_b, n.value, [](double d, double y) { return -d * y; });  // a / b^2 = y / b
       }});
}

}  // namespace exercise
