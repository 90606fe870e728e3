// Exercise 3: find the rule that lies.
//
// Each rule is a function of one number and what somebody claims is its derivative. One claim is wrong: perhaps for
// negative numbers only, perhaps by one percent.
#include <functional>
#include <vector>

#include "unsolved.h"

namespace exercise {

struct Rule {
  std::function<double(double)> f, derivative;
};

// Returns the place in `rules` of the one whose derivative is wrong somewhere between -3 and 3.
inline std::size_t liar(const std::vector<Rule>& rules) { return todo<std::size_t>("liar", rules); }

}  // namespace exercise
