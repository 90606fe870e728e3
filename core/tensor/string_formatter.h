// How fmt prints what has a to_string: for the files that have one. Internal.
#pragma once

#include <gradus/core/tensor/tensor.h>

namespace gradus {

template <class T>
auto StringFormatter<T>::format(const T& value, fmt::format_context& context) const -> fmt::format_context::iterator {
  return fmt::formatter<fmt::string_view>::format(to_string(value), context);
}

}  // namespace gradus
