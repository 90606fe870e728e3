// Exercise 13: find the leak.
//
// One column of x was made from y: it goes up or down with y nearly in step, whatever its unit is. The others know a
// little about y, as honest columns do.
#include <cmath>
#include <cstddef>
#include <vector>

#include "unsolved.h"

namespace exercise {

using Matrix = std::vector<std::vector<double>>;

// Returns the number of the column that leaks. x has a row for each example.
inline std::size_t leak(const Matrix& x, const std::vector<double>& y) { return todo<std::size_t>("leak", x, y); }

}  // namespace exercise
