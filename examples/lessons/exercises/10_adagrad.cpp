// Exercise 10: Adagrad, in plain C++.
//
// accumulator += g^2;  w -= rate * g / sqrt(accumulator). The accumulator starts at `initial`.
#include <cmath>
#include <functional>
#include <vector>

#include "unsolved.h"

namespace exercise {

// Returns w after each of so many steps, from `w` on; gradient(w) is the gradient at w.
inline std::vector<double> trajectory(double w, const std::function<double(double)>& gradient, double rate,
                                      double initial, int steps) {
  return todo<std::vector<double>>("trajectory", w, gradient, rate, initial, steps);
}

}  // namespace exercise
