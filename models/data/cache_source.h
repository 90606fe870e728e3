// A binary cache (data_cache.h) read like any other file of examples, so that whatever takes a source takes a cache.
#pragma once

#include <gradus/models/data/data_cache.h>
#include <gradus/models/data/examples.h>

#include <memory>
#include <string>

namespace gradus {

/// Whether the file begins as a cache does. Files that cannot be opened do not.
bool is_data_cache(const std::string& path);

/// The blocks of a cache as a model of `columns` columns takes them, or of the cache's where that is 0. Throws IoError
/// as DataCache does, and where the cache has another dtype, more columns or, if `table` is given, was made by another
/// table.
class FittedCache final : public DatasetBlocks {
 public:
  FittedCache(const std::string& path, std::int64_t columns, const std::shared_ptr<const FeatureTable>& table,
              DType dtype);

  const DataCache& cache() const { return cache_; }
  std::int64_t blocks() const override { return cache_.blocks(); }
  std::int64_t rows_of(std::int64_t block) const override { return cache_.rows_of(block); }
  Dataset block(std::int64_t block) const override;
  std::uint32_t fingerprint() const override { return cache_.fingerprint(); }

 private:
  DataCache cache_;
  std::int64_t columns_;
};

/// The same rows from front to back.
std::unique_ptr<ExampleSource> cache_source(const std::string& path, std::int64_t columns,
                                            const std::shared_ptr<const FeatureTable>& table, DType dtype);

}  // namespace gradus
