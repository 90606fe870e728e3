// How folds and numbers are written in CUDA C++.
#include <gradus/core/device/device_call.h>
#include <gradus/core/device/loop_text.h>

#include <fmt/format.h>

#include <cmath>

namespace gradus {

std::string fold_name(Fold::By by) {
  return by == Fold::By::max ? "gr_Max" : by == Fold::By::min ? "gr_Min" : "gr_Sum";
}

std::string double_text(double x) {
  if (std::isfinite(x)) return fmt::format("{:#.17g}", x);
  return std::isnan(x) ? "(0 * gr_greatest<double>())" : x > 0 ? "gr_greatest<double>()" : "gr_least<double>()";
}

std::string fold_type(Fold::By by, DType dtype) {
  return std::string(by == Fold::By::sum && dtype == float32 ? "double" : cuda_name(dtype));
}

}  // namespace gradus
