// What a refusal says, for tests of its exact text.
#pragma once

#include <gradus/core/error.h>

#include <string>

namespace gradus {

/// The message of the exception of type E that f throws. One of another type passes through, and fails the test.
template <class E = TypeError, class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace gradus
