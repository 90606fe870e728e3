// A binary cache (data_cache.h) read like any other file of examples, so that whatever takes a source takes a cache.
#pragma once

#include <gradus/models/data/examples.h>

#include <memory>
#include <string>

namespace gradus {

/// Whether the file begins as a cache does. Files that cannot be opened do not.
bool is_data_cache(const std::string& path);

/// Rows of `columns` columns, or of the cache's where that is 0. Throws IoError as DataCache does, and where the cache
/// has more columns or, if `table` is given, was made by another table.
std::unique_ptr<ExampleSource> cache_source(const std::string& path, std::int64_t columns,
                                            const std::shared_ptr<const FeatureTable>& table);

}  // namespace gradus
