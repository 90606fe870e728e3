#include <gradus/models/formats/run_log.h>

#include <gradus/core/json.h>
#include <gradus/models/formats/utf8.h>

#include <chrono>
#include <cmath>

namespace gradus {

namespace {

Json json_of(const Fact::Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* text = std::get_if<std::string>(&value)) return valid_utf8(*text);
  const double number = std::get<double>(value);
  if (std::isfinite(number)) return number;
  return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

void add(Json& to, const Facts& facts) {
  for (const Fact& fact : facts) to[valid_utf8(fact.name)] = json_of(fact.value);
}

// Seconds since 1970, to the millisecond.
double now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) / 1e3;
}

}  // namespace

void RunLog::write(std::string_view event, const Facts& facts, const Facts& options) {
  Json line = {{"event", valid_utf8(event)}, {"time", now()}};
  if (event == "start") line["gradus"] = GRADUS_VERSION;
  add(line, facts);
  if (!options.empty()) add(line["options"] = Json::object(), options);
  file_.write(to_text(line) + "\n");
}

}  // namespace gradus
