#include <gradus/models/data/detail/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <system_error>

namespace gradus {

namespace {

// Whether a number that is out of range is too small rather than too large: where its first digit other than 0 stands,
// counted from the point, and its exponent tell. std::from_chars does not.
bool too_small(const char* p, const char* end) {
  std::int64_t place = 0;  // of that digit: 1 is just before the point
  bool found = false;
  bool after_point = false;
  for (; p != end && (is_digit(*p) || *p == '.' || *p == '-'); ++p) {
    if (*p == '-') continue;
    if (*p == '.') {
      after_point = true;
      continue;
    }
    found = found || *p != '0';
    if (!after_point && found) ++place;
    if (after_point && !found) --place;
  }
  if (p == end || (*p != 'e' && *p != 'E')) return place <= 0;
  ++p;
  const bool negative = p != end && *p == '-';
  if (p != end && (*p == '-' || *p == '+')) ++p;
  std::uint64_t exponent = 0;
  read_digits(p, end, exponent);
  return (negative ? place - static_cast<std::int64_t>(exponent) : place + static_cast<std::int64_t>(exponent)) <= 0;
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// inf, infinity, nan and the like, in any case, with or without a sign.
bool names_no_finite_number(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  std::string lower(text.substr(0, 9));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == "inf" || lower == "infinity" || lower == "nan" || lower.starts_with("nan(");
}

}  // namespace

template <std::floating_point T>
const char* read_hard_number(const char* first, const char* end, T& value) {
  const char* start = first;
  if (start != end && *start == '+') ++start;  // from_chars takes only the other sign
  const char* const digits = start != end && *start == '-' && start == first ? start + 1 : start;
  // It would take inf and nan as well.
  if (digits == end || !(is_digit(*digits) || *digits == '.')) return nullptr;
  const auto [rest, error] = std::from_chars(start, end, value);
  if (error == std::errc::invalid_argument) return nullptr;
  if (error == std::errc::result_out_of_range) {
    if (!too_small(start, rest)) return nullptr;
    value = start == digits ? T(0) : -T(0);
  }
  return rest;
}

template const char* read_hard_number(const char*, const char*, float&);
template const char* read_hard_number(const char*, const char*, double&);

const char* read_long_index(const char* first, const char* end, std::uint64_t& value) {
  return std::from_chars(first, end, value).ec == std::errc() ? end : nullptr;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 40)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + (text.size() > 40 ? "...\"" : "\"");
}

template <std::floating_point T>
std::string why_not_a_number(std::string_view text) {
  text = without_blanks(text);
  if (names_no_finite_number(text)) return "is not finite";
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  T value = 0;
  if (text.size() > sign && (is_digit(text[sign]) || text[sign] == '.')) {
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + sign, end, value);
    if (error == std::errc::result_out_of_range && rest == end)
      return fmt::format("is too large for {}; at most {:.3g} is expected", sizeof(T) == 4 ? "float32" : "float64",
                         std::numeric_limits<T>::max());
    if (error != std::errc::invalid_argument && rest != end)
      return fmt::format("is not a number: {} follows it", in_quotes(std::string_view(rest, end)));
  }
  return "is not a number";
}

template std::string why_not_a_number<float>(std::string_view);
template std::string why_not_a_number<double>(std::string_view);

}  // namespace gradus
