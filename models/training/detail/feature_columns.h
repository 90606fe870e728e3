// Features by the column of a table that they are of: what a sampler takes for one group, and shares among threads.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <vector>

namespace gradus {

/// Features that are visited one after the other; where no row has two of them, at once.
struct FeatureColumn {
  std::vector<Index> features;
  bool one_hot = true;
};

/// The group of each of p features: what is given (0 where nothing is), and one more for what is -1.   [p]
std::vector<Index> all_in_groups(std::vector<Index> group, std::int64_t p);

/// The features of each group, and whether no row of X has two of them.
std::vector<FeatureColumn> columns_of(const CsrPattern& pattern, const std::vector<Index>& group);

/// The groups of features whose rows all have as many non-zeros, where those in the first place of a row are never in
/// another, and so on, as one-hot columns that were written to a file without names: the place. Empty where it is
/// otherwise.   [p] or [0]
std::vector<Index> columns_by_place(const CsrPattern& pattern);

}  // namespace gradus
