// The columns of sparse text whose indices lie far apart: each that occurs has a column of its own.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace gradus {

/// The indices of sparse text that have a column, as they are written.   [p]
class SparseIds {
 public:
  /// Throws ValueError where one is there twice.
  explicit SparseIds(std::vector<std::uint64_t> index);
  SparseIds(const SparseIds&) = delete;  // column_ is large
  SparseIds& operator=(const SparseIds&) = delete;
  ~SparseIds() = default;

  const std::vector<std::uint64_t>& index() const { return index_; }
  /// -1 where the index has none.
  Index column(std::uint64_t index) const;

 private:
  std::vector<std::uint64_t> index_;
  std::unordered_map<std::uint64_t, Index> column_;
};

}  // namespace gradus
