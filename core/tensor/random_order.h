// Rows in a random order, worked out as far as it is asked for: an epoch over many rows begins at once. By Fisher and
// Yates' shuffle (Durstenfeld, "Algorithm 235: random permutation", CACM 1964), which is final up to where it has come.
// Each order is equally likely, and a pure function of (count, seed, stream), as all random numbers here are.
#pragma once

#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <span>
#include <vector>

namespace gradus {

class RandomOrder {
 public:
  /// An order of 0 to count - 1; 4 bytes a row. Throws ValueError when there are more than an Index can tell apart.
  RandomOrder(std::int64_t count, std::uint64_t seed, std::uint64_t stream);

  /// What stands at positions first to first + count. The order is worked out up to there.
  std::span<const Index> at(std::int64_t first, std::int64_t count);

 private:
  void extend(std::size_t end);

  std::vector<Index> order_;
  std::size_t done_ = 0;  // positions that are final
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace gradus
