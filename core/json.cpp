#include <gradus/core/json.h>

namespace gradus {

Json parse_json(std::string_view text) { return Json::parse(text, nullptr, false); }

std::string to_text(const Json& json, int indent) { return json.dump(indent); }

std::string to_text_replacing(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace gradus
