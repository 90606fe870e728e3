// Exercise 4: undo a broadcast.
//
// x of shape `shape` was broadcast to the shape of dy in the forward walk. Values are row-major.
#include <cstdint>
#include <vector>

#include "unsolved.h"

namespace exercise {

using Dims = std::vector<std::int64_t>;

// Returns the gradient of x, which has as many values as `shape` says: dy, summed along all that was broadcast.
inline std::vector<double> unbroadcast(const std::vector<double>& dy, const Dims& dy_shape, const Dims& shape) {
  return todo<std::vector<double>>("unbroadcast", dy, dy_shape, shape);
}

}  // namespace exercise
