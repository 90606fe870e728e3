// Types of feeds of which ranks share out the rows. Internal to core/run.
#pragma once

#include <gradus/core/cluster/distribution.h>
#include <gradus/core/error.h>

#include <span>
#include <vector>

namespace gradus {

/// The feed with so many rows, if it is split by rows.
inline FedType with_rows(FedType fed, std::int64_t rows) {
  if (is_split(fed.placeholder)) fed.type.shape = fed.type.shape.with(0, rows);
  return fed;
}

inline std::vector<FedType> with_rows(std::span<const FedType> fed, std::int64_t rows) {
  std::vector<FedType> out;
  for (const FedType& each : fed) out.push_back(with_rows(each, rows));
  return out;
}

/// The rows that a rank has of what is split; they must be as many of each, else it throws FeedError.
inline std::int64_t own_rows(std::span<const FedType> fed) {
  const FedType* first = nullptr;
  for (const FedType& each : fed) {
    if (!is_split(each.placeholder)) continue;
    if (first == nullptr) first = &each;
    if (each.type.shape[0] != first->type.shape[0])
      fail<FeedError>("run: {} has {} rows but {} has {}; over several ranks all that is split by rows has as many",
                      first->placeholder.name(), first->type.shape[0], each.placeholder.name(), each.type.shape[0]);
  }
  return first == nullptr ? 0 : first->type.shape[0];
}

}  // namespace gradus
