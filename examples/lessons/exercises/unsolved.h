// What an exercise says where something is still to be written.
#pragma once

#include <stdexcept>
#include <string>

struct Unsolved : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws Unsolved. It takes the arguments of the function that is to be written, which would be unused otherwise.
template <class Result, class... Arguments>
Result todo(const char* function, const Arguments&...) {
  throw Unsolved(std::string(function) + " is not written yet");
}
