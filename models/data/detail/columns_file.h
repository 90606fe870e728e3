// What files keep of the columns of their rows, model files and caches alike:
//   tensors    field [p] (int32), where features have fields; indices [p] (64 bits, as int64) of sparse text that was
//              renumbered; item_columns [p] of a ranking
//   metadata   features (p), feature_table (JSON; where columns have names), hash_bits
#pragma once

#include <gradus/core/io/safetensors.h>
#include <gradus/models/data/columns.h>

#include <map>
#include <string>
#include <string_view>

namespace gradus {

/// Adds them to a file.
void add_columns(SafeTensors& file, const Columns& columns);
/// Takes them back. Throws IoError, "path: is damaged: what is wrong", where they are not as they should be.
Columns columns_in(const SafeTensors& file, const std::string& path);
/// Whether a tensor of that name is of the columns.
bool is_of_columns(std::string_view tensor);

/// CRC-32 of the tensors, stacks among them, and the metadata but for the checksum, as 8 hexadecimal digits.
std::string checksum(const std::map<std::string, Tensor>& tensors, const std::map<std::string, std::string>& metadata,
                     const TensorStacks& stacks = {});
/// The key of the checksum among the metadata.
inline constexpr const char* checksum_key = "checksum";

}  // namespace gradus
