// The loops of a recommender (recommender.h). The score of a pair of rows x + z, which have no feature in common, is
//   y_hat(x + z) = w0 + own(x) + own(z) + <q(x), q(z)>       q(x) = sum_i v_i x_i
//   own(x) = sum_i w_i x_i + 1/2 sum_f (q_f(x)^2 - sum_i v_if^2 x_i^2)
// for a factorization machine (Rendle, ICDM 2010, lemma 3.1), so that with rows (q, 1, own) and (q, own, 1) a matrix
// product tells many pairs.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace gradus {

/// Of each row of x (csr float32 [n, p]): q, own.   W [p], V [p, k] or [0] -> [n, k + 1]
std::vector<float> split_rows(const Tensor& x, const Tensor& W, const Tensor& V);

/// mean[i] += score[i], kept within [least, greatest].
void add_clipped(std::span<const float> score, float least, float greatest, std::span<float> mean);

/// mean[i] += Phi(score[i]), the distribution function of a standard normal, within 1e-7.
void add_normal(std::span<const float> score, std::span<float> mean);

/// The best of the scores that were shown, each with a number; of equal ones that of the smaller number.
class BestScores {
 public:
  struct Entry {
    float score;
    Index item;
  };

  /// `without`, ascending, are left out; they must outlive it.
  BestScores(std::int64_t count, std::span<const Index> without) : count_(count), without_(without) {}

  /// The scores of items first, first + 1, ..., which are greater than those shown before.
  void add(Index first, std::span<const float> score);
  /// Best first.
  std::vector<Entry> take();

 private:
  std::int64_t count_;
  std::span<const Index> without_;
  std::vector<Entry> best_;  // a heap, the worst on top
};

}  // namespace gradus
