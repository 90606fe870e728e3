// Rows for pairwise ranking from implicit data (Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR: Bayesian
// Personalized Ranking from Implicit Feedback", UAI 2009): all that is known is who took what. Each row is joined by
// one of the same user with an item that the user has not taken, and a model learns to rank the first above the second.
//   A row has columns of the item (its number, one-hot, and whatever else describes it) and all others, which are the
//   user's. Rows are of one user, or of one item, where those parts are the same.
// Items are drawn evenly from those of the data. The draw for a row is a function of (seed, epoch, batch, row) alone.
//
//   const PairSampler sampler(data, of_item, seed);
//   const Batches batches(data, {.map = [&](Batch& batch) { batch = sampler.pairs(batch); }});
#pragma once

#include <gradus/models/data/batches.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace gradus {

class PairSampler {
 public:
  /// `of_item` says of each column of data.x, which is csr, whether it is one of the item's; targets are not read.
  /// Throws TypeError where x is not csr or of_item has not its columns; ValueError, naming the row, for a row without
  /// columns of the item, and for a user who has taken every item.
  PairSampler(const Rows& data, std::vector<bool> of_item, std::uint64_t seed = 0);

  std::int64_t items() const { return static_cast<std::int64_t>(item_start_.size()) - 1; }
  std::int64_t users() const { return static_cast<std::int64_t>(taken_.size()); }

  /// Each row of the batch and after it one that was drawn, with targets 1 and -1 and the row's weight for both, as
  /// Task::ranking takes them. A user whom the data has not is taken to have taken the row's item alone.
  Batch pairs(const Batch& batch) const;
  /// The number of each row's user, for mean_auc; -1 where the data has no such user. Users are counted in the order of
  /// their first rows.   [n]
  std::vector<Index> users_of(const Tensor& x) const;

 private:
  template <class T>
  Batch pairs_of(const Batch& batch) const;
  Index other_item(Index user, Index item, std::uint64_t stream, std::uint64_t row) const;
  void check(const Tensor& x) const;

  std::vector<bool> of_item_;  // [p]
  std::uint64_t seed_;
  DType dtype_;
  // By what a row has in those columns, as bytes.
  std::unordered_map<std::string, Index> user_;
  std::unordered_map<std::string, Index> item_;
  std::vector<std::vector<Index>> taken_;    // by user: items, ascending
  std::vector<std::int64_t> item_start_{0};  // [items + 1], into the columns and values of the items
  std::vector<Index> item_column_;
  std::vector<double> item_value_;
};

}  // namespace gradus
