#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace gradus {

namespace {

// Bytes of the character at the front of the text, 0 where there is none. (RFC 3629, section 4.)
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return follows(1) ? 2 : 0;
  if (first < 0xf0) {
    if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)) return 0;
    return follows(1) && follows(2) ? 3 : 0;
  }
  if (first > 0xf4 || (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) return 0;
  return follows(1) && follows(2) && follows(3) ? 4 : 0;
}

// The code point of a character of so many bytes.
unsigned code_point(std::string_view text, std::size_t bytes) {
  unsigned code = static_cast<unsigned char>(text[0]);
  if (bytes > 1) code &= 0x7fU >> bytes;
  for (std::size_t i = 1; i < bytes; ++i) code = code << 6U | (static_cast<unsigned char>(text[i]) & 0x3fU);
  return code;
}

// Controls, line and paragraph separators, marks of direction (Unicode 15, section 23.2), and the byte order mark.
bool steers(unsigned code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bytes = character(text);
    const unsigned code = bytes == 0 ? static_cast<unsigned char>(text[0]) : code_point(text, bytes);
    const std::string_view whole = text.substr(0, std::max<std::size_t>(bytes, 1));
    if (bytes > 0 && !steers(code))
      out += whole;
    else if (code == '\n' || code == '\t' || code == '\r')
      out += code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r";
    else
      out += bytes < 2 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
    text.remove_prefix(whole.size());
  }
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bytes = character(text);
    out += bytes == 0 ? "\xef\xbf\xbd" : text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

}  // namespace gradus
