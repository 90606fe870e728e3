// A number as a C++ program writes it. One of an integer type is kept exactly, where a double would round it.
#pragma once

#include <gradus/core/tensor/dtype.h>

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

namespace gradus {

class Number {
 public:
  /// An unsigned number above 2^63 - 1 is kept as a double: no integer dtype holds it.
  template <class T>
  requires std::is_arithmetic_v<T>
  constexpr Number(T number)  // NOLINT(google-explicit-constructor): numbers are written as such
      : value_(static_cast<double>(number)), is_bool_(std::is_same_v<T, bool>) {
    if constexpr (std::is_integral_v<T>) {
      is_whole_ = static_cast<std::uint64_t>(number) <= INT64_MAX || std::is_signed_v<T>;
      if (is_whole_) whole_ = static_cast<std::int64_t>(number);
    }
  }

  /// The nearest double.
  double value() const { return value_; }
  bool is_bool() const { return is_bool_; }
  /// Whether it was given as an integer, which fits 64 bits with a sign.
  bool is_whole() const { return is_whole_; }

  /// Whether dtype has this number, for float32 and float64 after rounding: 0.5 fits no integer dtype.
  bool fits(DType dtype) const;
  /// The number as an element of dtype_of<T>, which it fits.
  template <class T>
  T as() const {
    if constexpr (std::is_same_v<T, bool>) {
      return value_ != 0;
    } else {
      return is_whole_ ? static_cast<T>(whole_) : static_cast<T>(value_);
    }
  }

  friend std::string to_string(const Number& number);

 private:
  double value_;
  std::int64_t whole_ = 0;
  bool is_whole_ = false;
  bool is_bool_;
};

/// All digits of an integer; the shortest text that gives a floating number back.
std::string to_string(const Number& number);

}  // namespace gradus
