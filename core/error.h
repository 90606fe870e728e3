// The library's exceptions. All derive from gradus::Error and are thrown as early as the mistake can be
// known; each message says what was given, where, and what would be right.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <utility>

namespace gradus {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Shapes, dtypes or layouts that do not fit; thrown when the graph is built, or when a run meets them first.
struct TypeError : Error {
  using Error::Error;
};

/// A number that does not fit: an index out of range, a malformed CSR, a bad option.
struct ValueError : Error {
  using Error::Error;
};

/// A placeholder without a value, a value for something else, a fetch of another graph.
struct FeedError : Error {
  using Error::Error;
};

/// A file that cannot be read or written, or is not what it should be.
struct IoError : Error {
  using Error::Error;
};

/// A device that is not there, or memory that is not to be had.
struct DeviceError : Error {
  using Error::Error;
};

/// Throws E with a message formatted by fmt.
template <class E, class... Args>
[[noreturn, gnu::noinline, gnu::cold]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace gradus
