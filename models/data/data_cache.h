// Rows in a binary file that is read many times faster than text, and block by block, so that more data than fits
// in memory trains: what `fm convert` writes.
//
//   write_data_cache("ratings.cache", *open_rows("ratings.csv", {.target = "rating"}));
//   const auto data = std::make_shared<DataCache>("ratings.cache");
//   const Batches batches(data, {.size = 1024, .seed = 1});
//
// It is a safetensors file, which Python reads with the stock package:
//   tensors    row_length [rows] (int32), column [non-zeros] (int32), value [non-zeros] (absent where all are 1), y
//   [rows]
//              and weight [rows] (absent where rows count alike): the rows in csr, float32 or float64; and those of the
//              columns, as model files have them: field, indices
//   metadata   gradus_cache (the version of this format), blocks (JSON: of each its rows, non-zeros and the CRC-32 of
//   its
//              part of the tensors), features, feature_table, hash_bits, checksum (of the metadata and the columns)
#pragma once

#include <gradus/models/data/reader.h>
#include <gradus/models/data/row_blocks.h>

#include <memory>
#include <string>
#include <vector>

namespace gradus {

struct DataCacheOptions {
  std::int64_t block_rows = 65536;  // rows of a block; the last has fewer, those of streams may
};

/// What was written and, as in ReadRows, what was left out or read as 0.
struct DataCacheSummary {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t blocks = 0;
  std::int64_t unseen = 0;
  std::int64_t missing = 0;
  std::int64_t other_fields = 0;
};

/// Writes all that the source gives, a block at a time, all or nothing. Throws what the source throws, ValueError for
/// examples without targets or wrong options, IoError where the file cannot be written.
DataCacheSummary write_data_cache(const std::string& path, Reader& source, const DataCacheOptions& options = {});

/// Whether the file is a cache, of this version or another. Files that cannot be read are none.
bool is_data_cache(const std::string& path);

class DataCache final : public RowBlocks {
 public:
  /// Checks what the file says of its blocks; a block is checked when it is first read. Throws IoError, naming the file
  /// and what is wrong, where it is no such file, of another version, cut short or damaged; as block() does where the
  /// file has been written to since. To replace it as write_data_cache does is safe.
  explicit DataCache(const std::string& path);
  ~DataCache() override;

  std::int64_t rows() const { return rows_; }
  /// Of the file.
  std::size_t bytes() const;
  DType dtype() const { return dtype_; }
  bool weighted() const { return weighted_; }
  const Columns& columns() const { return columns_; }

  std::int64_t blocks() const override { return static_cast<std::int64_t>(blocks_.size()); }
  std::int64_t rows_of(std::int64_t block) const override { return blocks_[static_cast<std::size_t>(block)].rows; }
  Rows block(std::int64_t block) const override;
  /// The CRC-32 of the metadata, which have those of the blocks.
  std::uint32_t fingerprint() const override { return checksum_; }

  /// All rows in memory.
  Rows all() const;

 private:
  struct Block {
    std::int64_t first_row, rows;
    std::int64_t first_non_zero, non_zeros;
    std::uint32_t crc;
  };
  struct File;

  std::string path_;
  std::unique_ptr<File> file_;
  std::int64_t rows_ = 0;
  Columns columns_;
  DType dtype_ = float32;
  bool weighted_ = false;
  std::uint32_t checksum_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace gradus
