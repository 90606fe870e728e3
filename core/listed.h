// Numbers and names in a row, for messages and lines of files.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace gradus {

/// "2, 3, 4": each value as fmt prints it. (With fmt::join each file would compile fmt's own formatting: a second.)
template <class Range>
std::string listed(const Range& values, std::string_view separator = ", ") {
  std::string text;
  bool first = true;
  for (const auto& value : values) {
    if (!first) text += separator;
    first = false;
    text += fmt::format("{}", value);
  }
  return text;
}

}  // namespace gradus
