// Which of some sets each of n elements is in, as sets are united (Tarjan, JACM 1975, by halving paths).
#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

namespace gradus {

class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  /// The element that stands for the set that i is in.
  std::size_t of(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void unite(std::size_t i, std::size_t j) { parent_[of(i)] = of(j); }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace gradus
