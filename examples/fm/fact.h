// What logs and reports are told of a run: named values. {"rate", 0.05}, {"optimizer", "adagrad"}.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fm {

struct Fact {
  enum class Kind : std::uint8_t { truth, integer, number, text };

  Fact(std::string_view fact, bool told) : name(fact), kind(Kind::truth), integer(told ? 1 : 0) {}
  Fact(std::string_view fact, std::integral auto told)
      : name(fact), kind(Kind::integer), integer(static_cast<std::int64_t>(told)) {}
  Fact(std::string_view fact, double told) : name(fact), kind(Kind::number), number(told) {}
  Fact(std::string_view fact, std::string_view told) : name(fact), kind(Kind::text), text(told) {}
  Fact(std::string_view fact, const char* told) : Fact(fact, std::string_view(told)) {}

  std::string name;
  Kind kind;
  // What it is told to be, by its kind.
  std::int64_t integer = 0;  // or 1 for true
  double number = 0;
  std::string text = {};
};

using Facts = std::vector<Fact>;

/// What it is told to be, as people read it: a number with at most `digits` significant digits.
std::string readable_fact(const Fact& fact, int digits = 6);

}  // namespace fm
