// JSON in the library's files. Text is parsed and written here alone: nlohmann's parser is slow to compile. Files come
// from anybody, so what a text asks for is bounded before it is parsed. Internal.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace gradus {

/// Members keep their order.
using Json = nlohmann::ordered_json;

/// What a text may hold: objects and lists within one another, members of one object, and values in all. Depth takes
/// stack, a member is found among the others of its object one by one, and values take up to 64 bytes each.
struct JsonLimits {
  int depth = 64;
  int members = 1'000;
  int values = 20'000'000;
};

/// Whether the text, well-formed or not, keeps within the limits. One pass, without memory.
bool keeps_within(std::string_view text, const JsonLimits& limits);

/// is_discarded() where the text is malformed or goes beyond the usual limits.
Json parse_json(std::string_view text);

/// On one line, or with each level `indent` spaces further in. Throws Json::type_error where a string is not UTF-8.
std::string to_text(const Json& json, int indent = -1);
/// What is not UTF-8 becomes U+FFFD.
std::string to_text_replacing(const Json& json);

}  // namespace gradus
