// Files as an enemy or a bad disk would leave them. The same damage for the same number, on every machine.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace gradus {

/// The bytes with one to four changes: bits turned, bytes set, pieces cut out, doubled or put in, cut off at the end,
/// or a number in the text exchanged for one that few programs expect.
inline std::string damaged(std::string bytes, std::mt19937& random) {
  static constexpr std::string_view odd[] = {
      "nan",        "-inf",       "1e999",    "-1",   "0",  "99999999999999999999",
      "2147483648", "4294967295", "1e-320",   "\"",   "\n", ",",
      ":",          "\r\n",       "\x1b[31m", "\xff", "{",  "[[[[",
      "]",          "",           "null",     "true", "\t", " ",
      "\\u0000"};
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = below(bytes.size());
    const std::size_t length = std::min<std::size_t>(1 + below(below(4) == 0 ? bytes.size() : 16), bytes.size() - at);
    switch (below(8)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes[at] = static_cast<char>("\0\xff\x7f\x80"[below(4)]); break;
      case 2: bytes.erase(at, length); break;
      case 3: bytes.insert(at, bytes.substr(below(bytes.size()), length)); break;
      case 4: bytes.resize(at); break;
      case 5: bytes.insert(at, std::string(length, static_cast<char>(random()))); break;
      default: {
        const std::size_t digit = bytes.find_first_of("0123456789", at);
        if (digit == std::string::npos) break;
        const std::size_t end = bytes.find_first_not_of("0123456789.eE+-", digit);
        bytes.replace(digit, end == std::string::npos ? end : end - digit, odd[below(std::size(odd))]);
      }
    }
  }
  return bytes;
}

}  // namespace gradus
