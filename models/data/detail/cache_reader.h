// A binary cache (data_cache.h) read like any other file of examples, so that whatever takes a source takes a cache.
#pragma once

#include <gradus/models/data/data_cache.h>
#include <gradus/models/data/read.h>

#include <memory>
#include <string>

namespace gradus {

/// The blocks of a cache with the columns that `read` asks for: those of its table, ids, hash_bits or number of
/// columns; where it has none of these, the cache's own. Throws IoError as DataCache does, and where the cache has
/// another dtype or other columns.
class FittedCache final : public RowBlocks {
 public:
  FittedCache(const std::string& path, const ReadOptions& read);

  const DataCache& cache() const { return cache_; }
  std::int64_t blocks() const override { return cache_.blocks(); }
  std::int64_t rows_of(std::int64_t block) const override { return cache_.rows_of(block); }
  Rows block(std::int64_t block) const override;
  std::uint32_t fingerprint() const override { return cache_.fingerprint(); }

 private:
  DataCache cache_;
  std::int64_t columns_;
};

/// The same rows from front to back.
std::unique_ptr<Reader> read_cache(const std::string& path, const ReadOptions& read);

}  // namespace gradus
