// Exercise 12: the gradient of a table that a csr matrix reads.
//
// Y = X V, where X is csr [n, p] and V [p, k]. Given dY [n, k], row-major, find dV, and only the rows that are not zero
// by construction: p may be a million.
#include <cstddef>
#include <map>
#include <vector>

#include "unsolved.h"

namespace exercise {

struct Csr {
  std::vector<std::size_t> row_start, column;  // row i has the positions row_start[i] to row_start[i + 1] - 1
  std::vector<double> value;
};

// Returns the rows of dV that X touches, by their number.
inline std::map<std::size_t, std::vector<double>> gradient_of_table(const Csr& x, const std::vector<double>& dy,
                                                                    std::size_t k) {
  return todo<std::map<std::size_t, std::vector<double>>>("gradient_of_table", x, dy, k);
}

}  // namespace exercise
