// Promised: every copy adds its part: a sum, not a mean
#include <cstdint>
#include <vector>

namespace exercise {

using Dims = std::vector<std::int64_t>;

inline std::vector<double> unbroadcast(const std::vector<double>& dy, const Dims& dy_shape, const Dims& shape) {
  std::size_t size = 1;
  for (const std::int64_t dim : shape) size *= static_cast<std::size_t>(dim);
  std::vector<double> dx(size, 0);
  const std::size_t leading = dy_shape.size() - shape.size();
  for (std::size_t from = 0; from < dy.size(); ++from) {
    std::size_t rest = from, to = 0, stride = 1;
    for (std::size_t axis = dy_shape.size(); axis-- > 0;) {
      const std::size_t index = rest % static_cast<std::size_t>(dy_shape[axis]);
      rest /= static_cast<std::size_t>(dy_shape[axis]);
      if (axis < leading) continue;
      const auto dim = static_cast<std::size_t>(shape[axis - leading]);
      to += (dim == 1 ? 0 : index) * stride;
      stride *= dim;
    }
    dx[to] += dy[from] * static_cast<double>(size) / static_cast<double>(dy.size());
  }
  return dx;
}

}  // namespace exercise
