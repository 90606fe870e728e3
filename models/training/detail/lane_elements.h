// The elements of X in the order in which a sampler reads them: eight at a time, of one feature, or one of each of
// eight features of which no row has two. Features of one-hot columns come by their frequency, so that those side by
// side have about as many rows, and threads end at about the same time; where a lane ends before the longest there are
// pads.
#pragma once

#include <gradus/core/tensor/tensor.h>
#include <gradus/models/training/detail/feature_columns.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace gradus {

/// Step r of lane j is element first + 8 r + j; a pad from step count[j] on.
struct Lanes {
  std::int64_t first = 0, length = 0;  // in elements, in steps
  std::array<std::int64_t, 8> count{};
  std::array<Index, 8> feature{};
  std::int64_t features = 8;  // 1: all lanes are of one feature, whose rows follow each other across the lanes
  bool of_one_feature() const { return features == 1; }
  /// The steps from `step` on, at most so many.
  Lanes part(std::int64_t step, std::int64_t most) const;
  /// The steps without a pad.
  std::int64_t whole() const;
};

class LaneElements {
 public:
  /// x csr float32 [n, p]; `root_weight` has the square root of each row's weight, or nothing where all are 1. Values
  /// of which all are 1, without weights, need not be kept.
  LaneElements(const Tensor& x, std::vector<float> root_weight, const std::vector<FeatureColumn>& columns,
               bool keeps_ones);

  const Tensor& X() const { return x_; }
  std::span<const float> root_weight() const { return root_weight_; }
  bool all_ones() const { return all_ones_; }  // of values and weights
  /// All lanes of a column.
  std::span<const Lanes> lanes(std::size_t column) const { return lanes_[column]; }
  std::size_t columns() const { return lanes_.size(); }
  /// Whether no row has two features of the column.
  bool is_one_hot(std::size_t column) const { return one_hot_[column]; }
  /// Of each element its row, n of pads; and x_ni, and that times the square root of the row's weight, 0 of pads, or
  /// nothing where no ones are kept.   [elements]
  std::span<const Index> row() const { return row_; }
  std::span<const float> value() const { return value_; }
  std::span<const float> weighted() const { return root_weight_.empty() ? value() : std::span<const float>(weighted_); }
  /// From here on row() is empty.
  void forget_rows() { row_ = {}; }
  /// The elements of a column, pads among them: from the first to behind the last.
  std::int64_t elements() const { return first_.back(); }
  std::int64_t first(std::size_t column) const { return first_[column]; }
  std::int64_t end(std::size_t column) const { return first_[column + 1]; }

 private:
  Tensor x_;
  std::vector<float> root_weight_;
  bool all_ones_;
  std::vector<std::vector<Lanes>> lanes_;  // by column
  std::vector<bool> one_hot_;              // by column
  std::vector<std::int64_t> first_;        // [columns + 1]
  std::vector<Index> row_;
  std::vector<float> value_, weighted_;
};

}  // namespace gradus
