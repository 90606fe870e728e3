// What gradus_outward writes for other programs to read, a folder a kind.
#pragma once

#include <string>

namespace gradus {

void write_models(const std::string& folder);
void write_events(const std::string& folder);
void write_reports(const std::string& folder);
void write_walkthroughs(const std::string& folder);

}  // namespace gradus
