#include <gradus/core/io/json.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace gradus {

bool keeps_within(std::string_view text, const JsonLimits& limits) {
  std::array<int, 256> members{};  // of the object or list that is open at each depth
  const int deepest = std::min(limits.depth, static_cast<int>(members.size()) - 1);
  int depth = 0, values = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':  // a string's text is of no interest
        for (++i; i < text.size() && text[i] != '"'; ++i)
          if (text[i] == '\\') ++i;
        break;
      case '{':
      case '[':
        if (++depth > deepest) return false;
        members[static_cast<std::size_t>(depth)] = 0;
        break;
      case '}':
      case ']':
        if (--depth < 0) return true;  // malformed, as the parser will say
        break;
      case ':':
        if (++members[static_cast<std::size_t>(depth)] > limits.members) return false;
        break;
      case ',':
        if (++values > limits.values) return false;
        break;
      default: break;
    }
  }
  return true;
}

Json parse_json(std::string_view text) {
  if (!keeps_within(text, {})) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, false);
}

std::string to_text(const Json& json, int indent) { return json.dump(indent); }

std::string to_text_replacing(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace gradus
