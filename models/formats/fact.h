// What logs and reports are told of a run: named values. {"rate", 0.05}, {"optimizer", "adagrad"}.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gradus {

struct Fact {
  using Value = std::variant<bool, std::int64_t, double, std::string>;

  Fact(std::string fact, bool told) : name(std::move(fact)), value(told) {}
  Fact(std::string fact, std::integral auto told) : name(std::move(fact)), value(static_cast<std::int64_t>(told)) {}
  Fact(std::string fact, double told) : name(std::move(fact)), value(told) {}
  Fact(std::string fact, std::string_view told) : name(std::move(fact)), value(std::string(told)) {}
  Fact(std::string fact, const std::string& told) : name(std::move(fact)), value(told) {}
  Fact(std::string fact, const char* told) : name(std::move(fact)), value(std::string(told)) {}

  std::string name;
  Value value;
};

using Facts = std::vector<Fact>;

}  // namespace gradus
