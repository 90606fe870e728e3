#include <gradus/core/cluster/is_linear.h>

#include <array>
#include <cmath>
#include <vector>

namespace gradus {

bool is_linear(const Op& op, std::span<const Type> types, const Type& out, unsigned varied) {
  constexpr std::size_t n = 64;
  const RowKernel kernel = op.row_kernel(types);
  const auto is_varied = [&](std::size_t i) { return ((varied >> i) & 1U) != 0; };
  if (kernel == nullptr || !is_floating(out.dtype)) return false;
  for (std::size_t i = 0; i < types.size(); ++i)
    if (is_varied(i) && types[i].dtype != out.dtype) return false;
  std::vector<std::array<double, n>> a(types.size()), b(types.size());
  std::uint64_t state = 1;
  const auto draw = [&] {  // in (-2, 2)
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state >> 11) * 0x1p-51 - 2;
  };
  for (std::size_t i = 0; i < types.size(); ++i)
    for (std::size_t j = 0; j < n; ++j) {
      a[i][j] = draw();
      b[i][j] = is_varied(i) ? draw() : 0;
    }
  const auto result = [&](double of_a, double of_b) {
    std::vector<std::array<double, n>> in(types.size());  // room for n numbers of any dtype
    std::vector<const void*> at_in(types.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
      dispatch(types[i].dtype, [&]<class T>(TypeTag<T>) {
        for (std::size_t j = 0; j < n; ++j) {
          const double x = is_varied(i) ? of_a * a[i][j] + of_b * b[i][j] : a[i][j];
          if constexpr (std::is_same_v<T, bool>)
            reinterpret_cast<T*>(in[i].data())[j] = x > 0;
          else
            reinterpret_cast<T*>(in[i].data())[j] = static_cast<T>(std::is_integral_v<T> ? x + 3 : x);
        }
      });
      at_in[i] = in[i].data();
    }
    std::array<double, n> out_numbers{}, y{};
    kernel(at_in.data(), 0, out_numbers.data(), n);
    dispatch_floating(out.dtype, [&]<class T>(TypeTag<T>) {
      for (std::size_t j = 0; j < n; ++j) y[j] = static_cast<double>(reinterpret_cast<const T*>(out_numbers.data())[j]);
    });
    return y;
  };
  const std::array<double, n> ya = result(1, 0), yb = result(0, 1), both = result(1, -3);
  for (std::size_t j = 0; j < n; ++j)
    if (!(std::abs(both[j] - (ya[j] - 3 * yb[j])) <= 1e-4 * (1 + std::abs(ya[j]) + std::abs(yb[j])))) return false;
  return true;
}

}  // namespace gradus
