// The formulas that look rows of a table up, by gather or, the same mathematics, by products with one-hot csr rows; and
// the batches that they are trained on.
#pragma once

#include "papers.h"

namespace bench {

enum class Lookup : std::uint8_t { gather, one_hot };

/// Ratings in MovieLens-1M's sizes, users and items by Zipf's law.
class RatingBatches {
 public:
  static constexpr std::int64_t users = 6040, items = 3706, size = 1024;
  static constexpr std::size_t count = 64;
  RatingBatches();

  /// Users, items and ratings of all batches.
  std::vector<gradus::Tensor> data(Lookup lookup) const;
  const std::int32_t* user(std::size_t batch) const { return &user_[batch * size]; }
  const std::int32_t* item(std::size_t batch) const { return &item_[batch * size]; }
  const float* rating(std::size_t batch) const { return &rating_[batch * size]; }

 private:
  std::vector<std::int32_t> user_, item_;
  std::vector<float> rating_;
};

/// Koren, Bell, Volinsky: Matrix Factorization Techniques for Recommender Systems (2009), equation 5: the mean over the
/// batch of (r - mu - b_u - b_i - p_u q_i)^2 + lambda (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2).   k = 32
struct MatrixFactorization : Formula {
  static constexpr double mean = 3.58, lambda = 0.02;
  MatrixFactorization(Lookup lookup, gradus::Optimizer&& optimizer);
};

/// Rows of one feature a field, in the manner of Criteo's (see zipf()).
class FieldBatches {
 public:
  static constexpr std::int64_t size = 1024;
  FieldBatches(std::int64_t fields, std::int64_t features, bool binary);

  /// Features and y of all batches. The features are indices [rows, fields]; csr [rows, features]; or csr with a row
  /// for each field, [rows * fields, features].
  std::vector<gradus::Tensor> by_index() const;
  std::vector<gradus::Tensor> by_row() const;
  std::vector<gradus::Tensor> by_field() const;
  const std::int32_t* feature(std::size_t batch) const { return &rows_.x.column[batch * per_batch()]; }
  const float* y(std::size_t batch) const { return &rows_.y[batch * size]; }

 private:
  std::size_t per_batch() const { return static_cast<std::size_t>(size * fields_); }
  std::vector<gradus::Tensor> with_y(const gradus::Tensor& features) const;

  std::int64_t fields_;
  DataSet rows_;
};

/// Pan, Xu, Ruiz, Zhao, Pan, Sun, Lu: Field-weighted Factorization Machines for Click-Through Rate Prediction in
/// Display Advertising (2018), with the linear terms of FM and without a penalty: y_hat = w0 + sum_i w_i + sum_(i < j)
/// r_(F(i) F(j)) v_i v_j, log loss.   k = 16, Adagrad
struct FieldWeighted : Formula {
  static constexpr std::int64_t fields = 39, features = 1000000;
  explicit FieldWeighted(Lookup lookup);
};

/// Rendle: Factorization Machines (2010), equation 1 by lemma 3.1, for rows of 39 features of value 1; log loss.
/// k = 16, Adagrad
struct PlainFactorizationMachine : Formula {
  static constexpr std::int64_t fields = 39, features = 1000000;
  explicit PlainFactorizationMachine(Lookup lookup);
};

}  // namespace bench
