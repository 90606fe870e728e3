// Long lists are tried in part, so that all tests together take minutes; where GRADUS_THOROUGH is set, as the tests
// thorough_* of the preset `thorough` set it, they are tried whole.
#pragma once

#include <cstdlib>

inline bool thorough() {
  static const bool is_set = std::getenv("GRADUS_THOROUGH") != nullptr;
  return is_set;
}
