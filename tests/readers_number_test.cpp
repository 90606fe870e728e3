// Numbers as text: what is read is what std::from_chars reads, bit by bit, where both take the text; and what is
// refused.
#include <gradus/models/data/detail/number_text.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace gradus {
namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// Counts the texts on which read_number and std::from_chars differ, in bits or in where the number ends.
template <class T>
class Comparison {
 public:
  void with(const std::string& text) {
    T ours = 0, theirs = 0;
    const char* const end = text.data() + text.size();
    const char* const p = read_number(text.data(), end, ours);
    const auto [q, error] = std::from_chars(text.data() + (text.starts_with('+') ? 1 : 0), end, theirs);
    ++count_;
    if (error == std::errc() && p == q && std::bit_cast<Bits<T>>(ours) == std::bit_cast<Bits<T>>(theirs)) return;
    if (differ_++ < 5) MESSAGE(text << ": " << ours << ", not " << theirs);
  }
  ~Comparison() {
    CHECK(count_ > 0);
    CHECK(differ_ == 0);
  }

 private:
  std::int64_t count_ = 0;
  std::int64_t differ_ = 0;
};

template <class T>
T number(std::string_view text) {
  T value = 0;
  CHECK(number_of(text, value));
  return value;
}

template <class T>
std::string refused_number(std::string_view text) {
  T value = 0;
  CHECK_FALSE(number_of(text, value));
  return in_quotes(text) + " " + why_not_a_number<T>(text);
}

}  // namespace

TEST_CASE_TEMPLATE("random decimals are rounded as std::from_chars does", T, float, double) {
  std::mt19937_64 random(7);
  Comparison<T> compare;
  const auto digits = [&](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += static_cast<char>('0' + random() % 10);
    return text;
  };
  for (int i = 0; i < 200000; ++i) {
    std::string text = random() % 3 == 0 ? "-" : "";
    text += digits(static_cast<int>(random() % 12));
    if (random() % 4 != 0 || text.empty() || text == "-") text += "." + digits(1 + static_cast<int>(random() % 12));
    if (random() % 8 == 0) text += fmt::format("e{}", static_cast<int>(random() % 40) - 25);
    compare.with(text);
  }
}

TEST_CASE_TEMPLATE("random bits, printed in several ways, are rounded as std::from_chars does", T, float, double) {
  std::mt19937_64 random(8);
  Comparison<T> compare;
  for (int i = 0; i < 40000; ++i) {
    const T value = std::bit_cast<T>(static_cast<Bits<T>>(random()));
    if (!std::isfinite(value)) continue;
    compare.with(fmt::format("{}", value));
    compare.with(fmt::format("{:.20e}", value));
    const T small = std::ldexp(value, -std::ilogb(value) + static_cast<int>(random() % 40) - 20);
    compare.with(fmt::format("{}", small));
    for (int places : {1, 4, 6, 8, 12, 17}) compare.with(fmt::format("{:.{}f}", small, places));
  }
}

// What goes wrong when a float is rounded from a double: decimals that lie half way between two floats, or so near that
// the double nearest to them does.
TEST_CASE("decimals near the middle of two floats are rounded once") {
  std::mt19937_64 random(9);
  Comparison<float> compare;
  for (int i = 0; i < 20000; ++i) {
    const auto a = std::bit_cast<float>(static_cast<std::uint32_t>(0x3a000000 + random() % 0x12000000));
    const double middle = (static_cast<double>(a) + static_cast<double>(std::nextafter(a, 1e30F))) / 2;
    for (int places = 1; places < 20; ++places) compare.with(fmt::format("{:.{}f}", middle, places));
    compare.with(fmt::format("{}", middle));
  }
}

TEST_CASE("numbers as people write them") {
  CHECK(number<float>("1") == 1);
  CHECK(number<float>("+1") == 1);
  CHECK(number<float>(" \t-0.5 ") == -0.5F);
  CHECK(std::signbit(number<float>("-0")));
  CHECK(number<double>(".5") == 0.5);
  CHECK(number<double>("5.") == 5);
  CHECK(number<double>("1e-05") == 1e-5);
  CHECK(number<double>("+1E+3") == 1000);
  CHECK(number<double>("123456789012345678901234567890") == 123456789012345678901234567890.0);
  CHECK(number<double>("0.00000000000000000000000000000000001") == 1e-35);
  CHECK(number<double>("9007199254740993") == 9007199254740992);  // 2^53 + 1: to even
  CHECK(number<double>("9007199254740995") == 9007199254740996);
  CHECK(number<float>("16777217") == 16777216);
  CHECK(number<float>("3.4028234e38") == std::numeric_limits<float>::max());
  // Too small for the type is 0, whatever its exponent says.
  CHECK(number<float>("1e-60") == 0);
  CHECK(number<double>("-1e-400") == 0);
  CHECK(std::signbit(number<double>("-1e-400")));
  CHECK(number<double>("0.0000001e-400") == 0);
  CHECK(number<double>("1000000000e-400") == 0);
  CHECK(number<double>("1e-99999999999999999999") == 0);
  CHECK(number<double>("0." + std::string(400, '0') + "1") == 0);
  CHECK(number<double>("0." + std::string(400, '0') + "1e401") == 1);
}

TEST_CASE("a number ends where it ends") {
  float value = 0;
  const std::string text = "12.5:7";
  CHECK(read_number(text.data(), text.data() + text.size(), value) == text.data() + 4);
  CHECK(read_number(text.data(), text.data() + 2, value) == text.data() + 2);
  CHECK(value == 12);
  CHECK(read_number(text.data(), text.data(), value) == nullptr);
  std::uint64_t whole = 0;
  CHECK(read_digits(text.data(), text.data() + text.size(), whole) == text.data() + 2);
  CHECK(whole == 12);
  for (const char* large : {"4611686018427387904", "9223372036854775808", "18446744073709551616",
                            "99999999999999999999999999999999999999999999"}) {
    const std::string_view digits(large);
    CHECK(read_digits(digits.data(), digits.data() + digits.size(), whole) == digits.data() + digits.size());
    CHECK(whole >= (std::uint64_t{1} << 62));
  }
}

TEST_CASE("what is not a number, and why") {
  CHECK(refused_number<float>("") == "\"\" is not a number");
  CHECK(refused_number<float>("-") == "\"-\" is not a number");
  CHECK(refused_number<float>(".") == "\".\" is not a number");
  CHECK(refused_number<float>("+-1") == "\"+-1\" is not a number");
  CHECK(refused_number<float>("--1") == "\"--1\" is not a number");
  CHECK(refused_number<float>("abc") == "\"abc\" is not a number");
  CHECK(refused_number<float>("1,5") == "\"1,5\" is not a number: \",5\" follows it");
  CHECK(refused_number<float>("1e") == "\"1e\" is not a number: \"e\" follows it");
  CHECK(refused_number<float>("0x10") == "\"0x10\" is not a number: \"x10\" follows it");
  CHECK(refused_number<float>("1.2.3") == "\"1.2.3\" is not a number: \".3\" follows it");
  CHECK(refused_number<float>("1 2") == "\"1 2\" is not a number: \" 2\" follows it");
  for (const char* text : {"nan", "NaN", "-nan", "inf", "+Inf", "-INFINITY", "nan(1)"})
    CHECK(refused_number<float>(text) == in_quotes(text) + " is not finite");
  CHECK(refused_number<float>("info") == "\"info\" is not a number");
  CHECK(refused_number<float>("1e39") == "\"1e39\" is too large for float32; at most 3.4e+38 is expected");
  CHECK(refused_number<double>("-1e309") == "\"-1e309\" is too large for float64; at most 1.8e+308 is expected");
  CHECK(refused_number<double>("0.001e99999999999999999999") ==
        "\"0.001e99999999999999999999\" is too large for float64; at most 1.8e+308 is expected");
  CHECK(refused_number<float>(std::string("1\0", 2)) == "\"1\\x00\" is not a number: \"\\x00\" follows it");
}

}  // namespace gradus
