// What an op was told when its node was made, as data: exporters, reports and `explain` read it.
#pragma once

#include <gradus/core/tensor/number.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gradus {

struct Attribute {
  std::string_view name;  // empty where the value says all, as a constant's does
  std::variant<Number, std::vector<std::int64_t>, std::string> value;  // a Number that is a bool is a flag

  Attribute(std::string_view of, Number number) : name(of), value(number) {}
  Attribute(std::string_view of, std::span<const std::int64_t> numbers)
      : name(of), value(std::vector(numbers.begin(), numbers.end())) {}
  Attribute(std::string_view of, std::span<const int> numbers)
      : name(of), value(std::vector<std::int64_t>(numbers.begin(), numbers.end())) {}
  Attribute(std::string_view of, std::string text) : name(of), value(std::move(text)) {}
};

/// The attributes of an op, in the order in which they are told; flags that are not set are not kept.
class Attributes {
 public:
  Attributes() = default;
  Attributes(std::initializer_list<Attribute> all);

  bool empty() const { return all_.empty(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }
  /// Whether there is one of this name: of a flag, whether it is set.
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Its numbers, or its one number, if it is whole; none where there is no such attribute.
  std::vector<std::int64_t> numbers(std::string_view name) const;

 private:
  const Attribute* find(std::string_view name) const;

  std::vector<Attribute> all_;
};

/// "axes=[0, 2], keep_dims"
std::string to_string(const Attributes& attributes);

}  // namespace gradus
