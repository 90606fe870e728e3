// Newton's identities as they stand, for any order.
#include <array>
#include <cstddef>

namespace exercise {

inline double fourth(double P1, double P2, double P3, double P4) {
  const std::array<double, 5> P = {0, P1, P2, P3, P4};
  std::array<double, 5> A = {1, 0, 0, 0, 0};
  for (std::size_t m = 1; m < 5; ++m) {
    double sign = 1;
    for (std::size_t t = 1; t <= m; ++t, sign = -sign) A[m] += sign * A[m - t] * P[t];
    A[m] /= static_cast<double>(m);
  }
  return A[4];
}

}  // namespace exercise
