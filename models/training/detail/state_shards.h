// What of a training's state ranks share out: beside the state's file each rank has written one with its own rows. The
// state's metadata say how many there are, of which writing, and their checksums; so a state and the shards of another
// writing are never taken for one, and the state before is whole until the next one's file takes its place.
#pragma once

#include <gradus/core/cluster/row_owners.h>
#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// How tensors of a state are called: these, and the variable's name.
inline constexpr std::string_view variable_prefix = "variable/", best_prefix = "best/";

struct StateShards {
  std::int64_t writing = 0;               // 1, 2, ...: of states of one path
  std::vector<std::uint32_t> checksum{};  // by rank; empty: there are none
};

/// MODEL.checkpoint.shard-2.7: of rank 2, the seventh writing.
std::string shard_path(const std::string& path, std::size_t rank, std::int64_t writing);

/// What a state's metadata say. Throws IoError.
StateShards shards_in(const std::map<std::string, std::string>& metadata, const std::string& path);
void add_metadata(const StateShards& shards, std::map<std::string, std::string>& metadata);
/// The writing of the state that is at the path; 0: none, or one without shards.
std::int64_t writing_at(const std::string& path);

/// A tensor of a rank's own rows, made when it is written.
struct OwnRowsToWrite {
  Type type;
  std::function<Tensor()> make;
};
/// Writes a rank's shard. Returns the checksum.
std::uint32_t write_shard(const std::string& path, const std::map<std::string, OwnRowsToWrite>& own);

/// A tensor that is wanted of shards: of which type it is whole, and whose rows of it.
struct WantedRows {
  Type whole;
  RowOwners owners;
};
/// From all shards, one after the other. Throws IoError for a shard that is not there, or damaged, or lacks a tensor.
std::map<std::string, Tensor> read_shards(const std::string& path, const StateShards& shards,
                                          const std::map<std::string, WantedRows>& wanted);

/// Removes the shards of a state but those of this writing.
void remove_other_shards(const std::string& path, std::int64_t writing);

}  // namespace gradus
