// Promised: each product of four is found four times
#include <vector>

namespace exercise {

inline double fourth(double P1, double P2, double P3, double P4) {
  const double A2 = (P1 * P1 - P2) / 2;
  const double A3 = (A2 * P1 - P1 * P2 + P3) / 3;
  return (A3 * P1 - A2 * P2 + P1 * P3 - P4);
}

}  // namespace exercise
