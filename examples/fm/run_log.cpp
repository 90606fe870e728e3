#include "run_log.h"

#include <gradus/core/io/json.h>
#include <gradus/models/formats/utf8.h>

#include <chrono>
#include <cmath>

namespace fm {

using namespace gradus;

namespace {

Json json_of(const Fact& fact) {
  switch (fact.kind) {
    case Fact::Kind::truth: return fact.integer != 0;
    case Fact::Kind::integer: return fact.integer;
    case Fact::Kind::text: return valid_utf8(fact.text);
    case Fact::Kind::number: break;
  }
  if (std::isfinite(fact.number)) return fact.number;
  return std::isnan(fact.number) ? "nan" : fact.number > 0 ? "inf" : "-inf";
}

void add(Json& to, const Facts& facts) {
  for (const Fact& fact : facts) to[valid_utf8(fact.name)] = json_of(fact);
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

}  // namespace fm
