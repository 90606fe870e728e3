// Examples in a binary file that is read many times faster than text, and block by block, so that more data than fits
// in memory trains: what `fm convert` writes.
//
//   write_data_cache("ratings.cache", *open_examples("ratings.csv", {.target = "rating"}));
//   const auto data = std::make_shared<DataCache>("ratings.cache");
//   const Batches batches(data, {.size = 1024, .seed = 1});
//
// All numbers are little-endian. The file begins with "gradusdc" and a version (u32, 1), then come the blocks:
//   u32 non-zeros of each row, i32 columns, values (none where all are 1), targets, weights (none where rows count
//   alike)
// then an index in JSON: rows, columns, dtype, where each block lies and its CRC-32, and what the columns mean; and
// last where the index begins (u64), its bytes (u64), its CRC-32 (u32) and "cdsudarg": so a file that was cut short is
// told.
#pragma once

#include <gradus/models/data/dataset_blocks.h>
#include <gradus/models/data/examples.h>
#include <gradus/models/data/sparse_ids.h>

#include <memory>
#include <string>
#include <vector>

namespace gradus {

struct DataCacheOptions {
  std::int64_t block_rows = 65536;  // rows of a block; the last has fewer, those of streams may
};

/// What was written and, as in Examples, what was left out or read as 0.
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
DataCacheSummary write_data_cache(const std::string& path, ExampleSource& source, const DataCacheOptions& options = {});

/// Whether the file begins as a cache does. Files that cannot be opened do not.
bool is_data_cache(const std::string& path);

class DataCache final : public DatasetBlocks {
 public:
  /// Checks the file's index; a block is checked when it is first read. Throws IoError, naming the file and what is
  /// wrong, where it is no such file, of another version, cut short or damaged; as block() does where the file has been
  /// written to since. To replace it as write_data_cache does is safe.
  explicit DataCache(const std::string& path);
  ~DataCache() override;

  std::int64_t rows() const { return rows_; }
  /// Of the file.
  std::size_t bytes() const;
  std::int64_t columns() const { return columns_; }
  DType dtype() const { return dtype_; }
  bool weighted() const { return weighted_; }
  /// What the columns mean, as in Examples; null where the data had none.
  const std::shared_ptr<const FeatureTable>& table() const { return table_; }
  const std::shared_ptr<const SparseIds>& ids() const { return ids_; }
  int hash_bits() const { return hash_bits_; }
  const std::shared_ptr<const std::vector<Index>>& field() const { return field_; }

  std::int64_t blocks() const override { return static_cast<std::int64_t>(blocks_.size()); }
  std::int64_t rows_of(std::int64_t block) const override { return blocks_[static_cast<std::size_t>(block)].rows; }
  Dataset block(std::int64_t block) const override;
  /// The CRC-32 of the index, which has those of the blocks.
  std::uint32_t fingerprint() const override { return index_crc_; }

  /// All rows in memory.
  Dataset all() const;

 private:
  struct Block {
    std::uint64_t begin;  // bytes from the start of the file
    std::uint64_t bytes;
    std::int64_t rows;
    std::int64_t non_zeros;
    bool ones;  // all values are 1, and not written
    std::uint32_t crc;
  };
  struct File;

  void read_index(const std::string& text);

  std::string path_;
  std::unique_ptr<File> file_;
  std::uint32_t index_crc_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  DType dtype_ = float32;
  bool weighted_ = false;
  std::shared_ptr<const FeatureTable> table_;
  std::shared_ptr<const SparseIds> ids_;
  int hash_bits_ = 0;
  std::shared_ptr<const std::vector<Index>> field_;
  std::vector<Block> blocks_;
};

}  // namespace gradus
