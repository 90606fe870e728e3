// Numbers as text, whatever the locale. What data mostly hold (whole numbers, short decimals) is read here in a few
// instructions; the rest goes to std::from_chars. Both give the float or double nearest to the decimal number.
// Nothing here throws or reads at `end`; what is wrong with a text that is not a number is said by why_not_a_number.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

/// What read_number does with exponents, long decimals and numbers that float cannot take as they come.
template <std::floating_point T>
const char* read_hard_number(const char* first, const char* end, T& value);
extern template const char* read_hard_number(const char*, const char*, float&);
extern template const char* read_hard_number(const char*, const char*, double&);

/// Reads the longest number at `first`: [+-] digits [. digits] [e [+-] digits]. Returns where it ends; nullptr where
/// there is none, or none that is finite as a T. What is too small for a T becomes 0.
template <std::floating_point T>
inline const char* read_number(const char* first, const char* end, T& value) {
  static constexpr double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                            1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  const char* p = first;
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  const char* const digits = p;
  std::uint64_t whole = 0;
  for (; p != end && is_digit(*p); ++p) whole = whole * 10 + static_cast<std::uint64_t>(*p - '0');
  std::ptrdiff_t count = p - digits;
  std::ptrdiff_t decimals = 0;
  if (p != end && *p == '.') {
    const char* const point = p++;
    for (; p != end && is_digit(*p); ++p) whole = whole * 10 + static_cast<std::uint64_t>(*p - '0');
    decimals = p - point - 1;
    count += decimals;
  }
  // 19 digits fit 64 bits. A whole number to 2^53 and a power of ten to 10^22 are exact doubles, so their quotient is
  // the double nearest to the decimal number (Clinger 1990).
  if (count == 0 || count > 19 || whole > (std::uint64_t{1} << 53) || (p != end && (*p == 'e' || *p == 'E')))
    return read_hard_number(first, end, value);
  double number = static_cast<double>(whole);
  if (decimals > 0) {
    number /= power_of_ten[decimals];
    if constexpr (std::same_as<T, float>) {
      // Rounding twice goes wrong only where the first ended half way between two floats: in the lowest 29 bits.
      if ((std::bit_cast<std::uint64_t>(number) & 0x1fffffff) == 0x10000000) return read_hard_number(first, end, value);
    }
  }
  value = static_cast<T>(negative ? -number : number);
  return p;
}

/// Whether the whole text is a finite number of type T, blanks around it aside.
template <std::floating_point T>
bool number_of(std::string_view text, T& value) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  const char* const end = text.data() + text.size();
  return !text.empty() && read_number(text.data(), end, value) == end;
}

/// What read_index does with 20 digits and more.
const char* read_long_index(const char* first, const char* end, std::uint64_t& value);

/// Reads digits. Returns where they end; nullptr where there are none. What is beyond 2^62 stays beyond it.
inline const char* read_digits(const char* first, const char* end, std::uint64_t& value) {
  constexpr std::uint64_t large = std::uint64_t{1} << 62;
  value = 0;
  const char* p = first;
  for (; p != end && is_digit(*p); ++p)
    value = value < large / 10 ? value * 10 + static_cast<std::uint64_t>(*p - '0') : large;
  return p == first ? nullptr : p;
}

/// Reads digits, up to 2^64 - 1. Returns where they end; nullptr where there are none, or more than fits.
inline const char* read_index(const char* first, const char* end, std::uint64_t& value) {
  constexpr std::ptrdiff_t fits = 19;
  std::uint64_t so_far = 0;  // in a register: `value` may be anywhere
  const char* p = first;
  for (; p != end && is_digit(*p); ++p) so_far = so_far * 10 + static_cast<std::uint64_t>(*p - '0');
  if (p - first > fits) [[unlikely]]
    return read_long_index(first, p, value);
  value = so_far;
  return p == first ? nullptr : p;
}

/// A text for messages: in quotes, at most 40 bytes of it, those that do not print as \x09.
std::string in_quotes(std::string_view text);

/// Why number_of says no, to follow a quoted text: `is not a number`, `is not finite`, `is too large for float32; ...`.
template <std::floating_point T>
std::string why_not_a_number(std::string_view text);
extern template std::string why_not_a_number<float>(std::string_view);
extern template std::string why_not_a_number<double>(std::string_view);

}  // namespace gradus
