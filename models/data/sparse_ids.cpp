#include <gradus/models/data/sparse_ids.h>

#include <gradus/core/error.h>

#include <utility>

namespace gradus {

SparseIds::SparseIds(std::vector<std::uint64_t> index) : index_(std::move(index)) {
  column_.reserve(index_.size());
  for (std::size_t i = 0; i < index_.size(); ++i)
    if (!column_.emplace(index_[i], static_cast<Index>(i)).second)
      fail<ValueError>("SparseIds: index {} has two columns", index_[i]);
}

Index SparseIds::column(std::uint64_t index) const {
  const auto found = column_.find(index);
  return found == column_.end() ? -1 : found->second;
}

}  // namespace gradus
