// Text of pages: escaped for HTML, and numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

/// For text and attributes of HTML and SVG: & < > " ' as entities, control characters as spaces, UTF-8 mended.
std::string escaped(std::string_view text);

/// "12,345", "0.0125", "−3.5", "1.2e9": at most `digits` significant digits, integers of up to 15 digits whole.
std::string readable(double number, int digits = 6);
/// "12,345", all digits.
std::string readable_integer(std::int64_t number);

/// At most `length` characters (not bytes), the last an ellipsis where some are left out. Takes UTF-8.
std::string shortened(std::string_view text, std::size_t length);
/// How many characters UTF-8 text has.
std::size_t character_count(std::string_view text);

}  // namespace gradus
