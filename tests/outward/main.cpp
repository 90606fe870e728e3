#include "write.h"

#include <fmt/format.h>

#include <exception>
#include <string_view>

int main(int argc, char** argv) {
  const std::string_view kind = argc == 3 ? argv[1] : "";
  try {
    if (kind == "models") return gradus::write_models(argv[2]), 0;
    if (kind == "events") return gradus::write_events(argv[2]), 0;
    if (kind == "reports") return gradus::write_reports(argv[2]), 0;
    if (kind == "walkthroughs") return gradus::write_walkthroughs(argv[2]), 0;
    fmt::print(stderr, "usage: gradus_outward models|events|reports|walkthroughs FOLDER\n");
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "gradus_outward: {}\n", error.what());
    return 1;
  }
}
