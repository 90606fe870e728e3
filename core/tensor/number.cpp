#include <gradus/core/tensor/number.h>

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace gradus {

bool Number::fits(DType dtype) const {
  return dispatch(dtype, [this]<class T>(TypeTag<T>) {
    if constexpr (std::is_same_v<T, bool>) {
      return value_ == 0 || value_ == 1;
    } else if constexpr (std::is_integral_v<T>) {
      if (is_whole_) return std::in_range<T>(whole_);
      // -min is a power of two, thus exact as a double where max is not.
      constexpr double below = -static_cast<double>(std::numeric_limits<T>::min());
      return value_ >= -below && value_ < below && value_ == std::trunc(value_);
    } else {
      return !std::isfinite(value_) || std::abs(value_) <= static_cast<double>(std::numeric_limits<T>::max());
    }
  });
}

std::string to_string(const Number& number) {
  return number.is_whole_ ? fmt::format("{}", number.whole_) : fmt::format("{}", number.value_);
}

}  // namespace gradus
