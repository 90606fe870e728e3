// Exercise 8: all pairs, without a loop over pairs.
//
// A row has few features that are not zero: (feature, value). v(i, f) is factor f of feature i; asking for it costs, so
// ask for each at most once in a call.
#include <functional>
#include <utility>
#include <vector>

#include "unsolved.h"

namespace exercise {

using Row = std::vector<std::pair<int, double>>;
using Factors = std::function<double(int feature, int factor)>;

// Returns sum over i < j of <v_i, v_j> x_i x_j, for k factors.
inline double interactions(const Row& x, const Factors& v, int k) { return todo<double>("interactions", x, v, k); }

// Returns the derivative of that by v_if, where i is the feature x[at].first.
inline double gradient(const Row& x, const Factors& v, int f, std::size_t at) {
  return todo<double>("gradient", x, v, f, at);
}

}  // namespace exercise
