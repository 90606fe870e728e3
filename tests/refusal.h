// What a refusal says, for tests of its exact text, and the lines of a test that it names.
#pragma once

#include <gradus/core/error.h>
#include <gradus/core/graph/graph.h>

#include <string>

namespace gradus {

/// "rows_test.cpp:17": a line of the file that asks.
inline std::string here(int line, const Location& where = Location::current()) {
  return to_string(Location{where.file, line});
}

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
