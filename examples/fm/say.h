// What fm prints for people. Names come from files of other people: every text that is printed as an argument is
// escaped, so that none steers a terminal or forges a line. Data for programs (JSON, predictions) go through put() as
// they are. Nothing here throws: whether standard output took it all is asked in the end, by finish_output().
#pragma once

#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace fm {

/// Prints the text as it is.
void put(std::FILE* to, std::string_view text);

/// A message in one line, which quotes no more of somebody's data than can be read.
std::string one_line(std::string text);

/// Throws IoError where standard output could not take all that was printed, Unheard where nobody reads it any more.
void finish_output();
struct Unheard {};

/// What is thrown for an errno of standard output.
[[noreturn]] void fail_output(int error);

template <class T>
auto said_as(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>)
    return gradus::printable(value);
  else
    return value;
}

/// Prints by fmt, with texts escaped.
template <class... Args>
void say(std::FILE* to, fmt::format_string<decltype(said_as(std::declval<const Args&>()))...> format,
         const Args&... args) {
  const auto print = [&](const auto&... safe) { put(to, fmt::vformat(format, fmt::make_format_args(safe...))); };
  print(said_as(args)...);
}
template <class... Args>
void say(fmt::format_string<decltype(said_as(std::declval<const Args&>()))...> format, const Args&... args) {
  const auto print = [&](const auto&... safe) { put(stdout, fmt::vformat(format, fmt::make_format_args(safe...))); };
  print(said_as(args)...);
}

}  // namespace fm
