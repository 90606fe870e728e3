// What a program has made once and keeps for its next start, such as compiled kernels: files in a folder that belongs
// to the user alone. What cannot be kept, or is not whole, or not the user's, is made again: nothing here throws.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

/// $GRADUS_CACHE, where it is set (empty: nothing is kept), else `gradus` in $XDG_CACHE_HOME or ~/.cache; empty where
/// there is none.
std::string kept_folder();

/// FNV-1a, 64 bits.
std::uint64_t hash_of(std::string_view text);

/// What was kept as `name` for this key, all that it depends on; empty where there is nothing whole, or where somebody
/// else may write to the folder or the file.
std::string read_kept(const std::string& folder, std::string_view name, const std::string& key);
/// Makes the folder, for the user alone, where it is missing.
void write_kept(const std::string& folder, std::string_view name, const std::string& key, const std::string& content);

/// Removes folders in it that programs which were killed have left there for a day, and of more than 4,096 files the
/// older half.
void sweep_kept(const std::string& folder);

}  // namespace gradus
