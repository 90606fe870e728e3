#include <gradus/models/formats/page_text.h>

#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U; }

// "-1234567" to "−1,234,567".
std::string grouped(std::string digits) {
  const bool negative = digits.front() == '-';
  if (negative) digits.erase(0, 1);
  const std::size_t whole = std::min(digits.find('.'), digits.size());
  for (std::size_t at = whole; at > 3;) digits.insert(at -= 3, ",");
  return negative ? "\u2212" + digits : digits;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += (c >= 0 && c < ' ') || c == '\x7f' ? ' ' : c;
    }
  }
  return out;
}

std::string readable(double number, int digits) {
  if (std::isnan(number)) return "not a number";
  if (std::isinf(number)) return number > 0 ? "\u221e" : "\u2212\u221e";
  const double size = std::abs(number);
  if (size == 0) return "0";
  if (size < 1e15 && number == std::floor(number)) return grouped(fmt::format("{:.0f}", number));
  if (size >= 1e9 || size < 1e-4) {
    std::string text = fmt::format("{:.{}e}", number, digits - 1);  // "1.20000e-05"
    const std::size_t e = text.find('e');
    std::string mantissa = text.substr(0, e);
    mantissa.erase(mantissa.find_last_not_of('0') + 1);
    if (mantissa.back() == '.') mantissa.pop_back();
    const int exponent = std::stoi(text.substr(e + 1));
    return fmt::format("{}e{}{}", grouped(mantissa), exponent < 0 ? "\u2212" : "", std::abs(exponent));
  }
  const int before = std::max(1, static_cast<int>(std::floor(std::log10(size))) + 1);
  std::string text = fmt::format(
      "{:.{}f}", number,
      size < 1 ? digits - 1 - static_cast<int>(std::floor(std::log10(size))) : std::max(0, digits - before));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return grouped(text);
}

std::string readable_integer(std::int64_t number) { return grouped(std::to_string(number)); }

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string shortened(std::string_view text, std::size_t length) {
  if (character_count(text) <= length) return std::string(text);
  std::size_t at = 0;
  for (std::size_t characters = 0; at < text.size(); ++at)
    if (starts_character(text[at]) && ++characters == length) break;
  return std::string(text.substr(0, at)) + "\u2026";
}

}  // namespace gradus
