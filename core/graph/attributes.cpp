#include <gradus/core/graph/attributes.h>

#include <gradus/core/listed.h>
#include <gradus/core/tensor/shape.h>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace gradus {

Attributes::Attributes(std::initializer_list<Attribute> all) {
  std::copy_if(all.begin(), all.end(), std::back_inserter(all_), [](const Attribute& attribute) {
    const auto* const number = std::get_if<Number>(&attribute.value);
    return number == nullptr || !number->is_bool() || number->value() != 0;
  });
}

const Attribute* Attributes::find(std::string_view name) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const Attribute& a) { return a.name == name; });
  return found == all_.end() ? nullptr : &*found;
}

std::vector<std::int64_t> Attributes::numbers(std::string_view name) const {
  const Attribute* const found = find(name);
  if (found == nullptr) return {};
  if (const auto* const numbers = std::get_if<std::vector<std::int64_t>>(&found->value)) return *numbers;
  const auto* const number = std::get_if<Number>(&found->value);
  return number != nullptr && number->is_whole() ? std::vector{number->as<std::int64_t>()}
                                                 : std::vector<std::int64_t>();
}

namespace {

std::string text_of(const Attribute& attribute) {
  if (const auto* const number = std::get_if<Number>(&attribute.value))
    return number->is_bool() ? std::string(attribute.name) : fmt::format("{}={}", attribute.name, to_string(*number));
  if (const auto* const numbers = std::get_if<std::vector<std::int64_t>>(&attribute.value))
    return fmt::format("{}=[{}]", attribute.name, listed(*numbers));
  const std::string& text = std::get<std::string>(attribute.value);
  return attribute.name.empty() ? text : fmt::format("{}={}", attribute.name, text);
}

}  // namespace

std::string to_string(const Attributes& attributes) {
  std::string text;
  for (const Attribute& each : attributes) text += (text.empty() ? "" : ", ") + text_of(each);
  return text;
}

}  // namespace gradus
