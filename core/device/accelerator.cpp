#include <gradus/core/device/accelerator.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

Grid grid_for(std::int64_t n, int threads) {
  constexpr std::int64_t most_blocks = 4096;
  return {std::min(most_blocks, (n + threads - 1) / threads), threads};
}

std::string_view cuda_name(DType dtype) {
  constexpr std::string_view names[] = {"float", "double", "int", "gr_int64", "bool"};
  return names[static_cast<std::size_t>(dtype)];
}

std::string using_type(DType dtype) { return fmt::format("using T = {};", cuda_name(dtype)); }

}  // namespace gradus
