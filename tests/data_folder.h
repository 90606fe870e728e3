// Where data of other people are looked for, which are not part of the project: $GRADUS_DATA/name, else
// ../shared/data/name, seen from the project's folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace gradus {

inline std::filesystem::path data_folder(const std::string& name) {
  if (const char* const set = std::getenv("GRADUS_DATA")) return std::filesystem::path(set) / name;
  return (std::filesystem::path(GRADUS_GOLDEN_DIR) / "../../../shared/data" / name).lexically_normal();
}

}  // namespace gradus
