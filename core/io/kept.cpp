#include <gradus/core/io/kept.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

namespace gradus {

namespace {

// What a file begins with; the key and the content follow.
struct KeptHeader {
  char format[8] = {'g', 'r', 'k', 'e', 'p', 't', '0', '1'};
  std::uint64_t key_bytes = 0;
  std::uint64_t content_bytes = 0;
  std::uint64_t content_hash = 0;
};

// Whether this is a folder, or a file, that nobody but the user may write to. Links are none.
bool is_own(const std::string& path, bool folder) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return false;
  return (folder ? S_ISDIR(found.st_mode) : S_ISREG(found.st_mode)) && found.st_uid == geteuid() &&
         (found.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::string path_of(const std::string& folder, std::string_view name, const std::string& key) {
  return fmt::format("{}/{}-{:016x}", folder, name, hash_of(key));
}

}  // namespace

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

std::string kept_folder() {
  if (const char* own = std::getenv("GRADUS_CACHE"); own != nullptr) return own;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return fmt::format("{}/gradus", cache);
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fmt::format("{}/.cache/gradus", home);
  return {};
}

std::string read_kept(const std::string& folder, std::string_view name, const std::string& key) {
  const std::string path = path_of(folder, name, key);
  if (folder.empty() || !is_own(folder, true) || !is_own(path, false)) return {};
  try {
    const std::vector<std::byte> bytes = read_file(path);
    KeptHeader header;
    if (bytes.size() < sizeof header) return {};
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::string_view rest(reinterpret_cast<const char*>(bytes.data()) + sizeof header,
                                bytes.size() - sizeof header);
    const bool mine = std::memcmp(header.format, KeptHeader().format, sizeof header.format) == 0 &&
                      header.key_bytes == key.size() && rest.starts_with(key) &&
                      header.content_bytes == rest.size() - key.size();
    const std::string_view content = mine ? rest.substr(key.size()) : std::string_view();
    return mine && hash_of(content) == header.content_hash ? std::string(content) : std::string();
  } catch (const IoError&) {
    return {};
  }
}

void write_kept(const std::string& folder, std::string_view name, const std::string& key, const std::string& content) {
  if (folder.empty()) return;
  std::error_code none;  // where there is no folder, nothing can be written either
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), none);
  mkdir(folder.c_str(), S_IRWXU);
  if (!is_own(folder, true)) return;
  KeptHeader header;
  header.key_bytes = key.size();
  header.content_bytes = content.size();
  header.content_hash = hash_of(content);
  try {
    write_file_atomically(path_of(folder, name, key), [&](FileWriter& writer) {
      writer.write(&header, sizeof header);
      writer.write(key.data(), key.size());
      writer.write(content.data(), content.size());
    });
  } catch (const IoError&) {
    // A full disk, or a folder that cannot be written: it is made again next time.
  }
}

void sweep_kept(const std::string& folder) {
  constexpr std::size_t most_files = 4096;
  using Time = std::filesystem::file_time_type;
  if (folder.empty() || !is_own(folder, true)) return;
  std::error_code none;  // what another program removes meanwhile is gone as well
  std::vector<std::pair<Time, std::filesystem::path>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const Time written = entry.last_write_time(none);
    if (!entry.is_directory(none)) {
      files.emplace_back(written, entry.path());
    } else if (Time::clock::now() - written > std::chrono::hours(24)) {
      std::filesystem::remove_all(entry.path(), none);
    }
  }
  if (files.size() <= most_files) return;
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i < files.size() / 2; ++i) std::filesystem::remove(files[i].second, none);
}

}  // namespace gradus
