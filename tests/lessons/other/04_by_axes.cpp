// One axis after the other, from the first.
#include <cstdint>
#include <vector>

namespace exercise {

using Dims = std::vector<std::int64_t>;

inline std::vector<double> unbroadcast(const std::vector<double>& dy, const Dims& dy_shape, const Dims& shape) {
  Dims now = dy_shape, wanted(dy_shape.size() - shape.size(), 1);
  wanted.insert(wanted.end(), shape.begin(), shape.end());
  std::vector<double> values = dy;
  for (std::size_t axis = 0; axis < now.size(); ++axis) {
    if (now[axis] == wanted[axis]) continue;
    std::size_t outer = 1, inner = 1;
    for (std::size_t i = 0; i < axis; ++i) outer *= static_cast<std::size_t>(now[i]);
    for (std::size_t i = axis + 1; i < now.size(); ++i) inner *= static_cast<std::size_t>(now[i]);
    const auto size = static_cast<std::size_t>(now[axis]);
    std::vector<double> summed(outer * inner, 0);
    for (std::size_t o = 0; o < outer; ++o)
      for (std::size_t a = 0; a < size; ++a)
        for (std::size_t i = 0; i < inner; ++i) summed[o * inner + i] += values[(o * size + a) * inner + i];
    values = summed;
    now[axis] = 1;
  }
  return values;
}

}  // namespace exercise
