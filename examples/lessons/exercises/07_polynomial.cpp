// Exercise 7: which pairs have evidence?
//
// A pair of features i < j has evidence where a row of the csr matrix has a non-zero in both columns. A csr matrix may
// store zeros: they are no evidence.
#include <gradus/gradus.h>
#include <set>
#include <utility>

#include "unsolved.h"
using namespace gradus;

namespace exercise {

// Returns how many pairs have evidence. x is csr, of float64.
inline std::int64_t pairs_with_evidence(const Tensor& x) { return todo<std::int64_t>("pairs_with_evidence", x); }

}  // namespace exercise
