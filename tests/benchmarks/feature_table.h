// What the loops over examples ask of a table for each feature.
#pragma once

#include "loops_papers.h"

namespace loops {

inline void FeatureTable::prefetch(std::int32_t j) const {
  __builtin_prefetch(&feature(j), 1);
  __builtin_prefetch(&feature(j).w_square, 1);
}

inline std::int32_t FeatureTable::slot_of(std::int32_t j) {
  std::int32_t& slot = feature_[static_cast<std::size_t>(j)].slot;
  if (slot < 0) {
    slot = static_cast<std::int32_t>(touched_.size());
    touched_.push_back(j);
    gradient(slot) = {};
  }
  return slot;
}

}  // namespace loops
