// The library's exceptions. All derive from gradus::Error and are thrown as early as the mistake can be
// known; each message says what was given, where, and what would be right.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <stdexcept>
#include <string_view>

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

// What fail does with any arguments: compiled once.
template <class E>
[[noreturn, gnu::noinline, gnu::cold]] void fail_with(fmt::string_view format, fmt::format_args args) {
  throw E(fmt::vformat(format, args));
}

/// Throws E with a message formatted by fmt.
template <class E, class... Args>
[[noreturn, gnu::noinline, gnu::cold]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  fail_with<E>(format, fmt::make_format_args(args...));
}

/// The ending of a noun in a message: "3 rows", "1 row".
constexpr std::string_view plural(std::int64_t count) { return count == 1 ? "" : "s"; }

}  // namespace gradus
