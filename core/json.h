// JSON in the library's files. Text is parsed and written here alone: nlohmann's parser is slow to compile. Internal.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace gradus {

/// Members keep their order.
using Json = nlohmann::ordered_json;

/// is_discarded() where the text is malformed.
Json parse_json(std::string_view text);

/// On one line, or with each level `indent` spaces further in. Throws Json::type_error where a string is not UTF-8.
std::string to_text(const Json& json, int indent = -1);
/// What is not UTF-8 becomes U+FFFD.
std::string to_text_replacing(const Json& json);

}  // namespace gradus
