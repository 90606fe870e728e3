// For fuzzers of safetensors files: one in parts, and put together again.
#pragma once

#include "damage.h"

#include <gradus/core/error.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/models/data/detail/columns_file.h>

#include <nlohmann/json.hpp>

struct TensorFileParts {
  std::string header, metadata, numbers;
};

inline constexpr const char* metadata_key = "__metadata__";

inline TensorFileParts parts_of(const std::string& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  auto header = nlohmann::ordered_json::parse(bytes.substr(8, length));
  TensorFileParts out{"", header[metadata_key].dump(), bytes.substr(8 + length)};
  header.erase(metadata_key);
  out.header = header.dump();
  return out;
}

inline std::string file_of(const nlohmann::ordered_json& header, const std::string& numbers) {
  const std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return bytes_of(std::uint64_t{text.size()}) + text + numbers;
}

/// The file of the parts, where `mend(contents)` has made its checksums anew; "" where header or metadata are no JSON.
template <class Mend>
std::string mended(const TensorFileParts& parts, const Mend& mend) {
  using Json = nlohmann::ordered_json;
  Json header = Json::parse(parts.header, nullptr, false);
  const Json metadata = Json::parse(parts.metadata, nullptr, false);
  if (!header.is_object() || !metadata.is_object()) return {};
  header[metadata_key] = metadata;
  std::string bytes = file_of(header, parts.numbers);
  try {
    gradus::SafeTensors read = gradus::load_safetensors(MemoryFile(bytes).path());
    mend(read);
    for (const auto& [key, text] : read.metadata) header[metadata_key][key] = text;
    bytes = file_of(header, parts.numbers);
  } catch (const gradus::IoError&) {
  }
  return bytes;
}
