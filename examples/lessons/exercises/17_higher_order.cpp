// Exercise 17: order four.
//
// A_m is the sum over all i1 < ... < im of z_i1 ... z_im, and P_t the sum of z_i^t. Lesson 17 has A_2 and A_3.
#include <vector>

#include "unsolved.h"

namespace exercise {

// Returns A_4 in terms of the power sums P_1 to P_4.
inline double fourth(double P1, double P2, double P3, double P4) { return todo<double>("fourth", P1, P2, P3, P4); }

}  // namespace exercise
