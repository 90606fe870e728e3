// How y_hat depends on the parameters of one feature, all others as they are. A model is fit for samplers and
// alternating least squares (sampler.h) where that is linear in all parameters of the feature at once:
//   y_hat(x_n) = g_n + sum_c t_c h_nc      for the rows n that hold the feature
// and neither g nor h knows t_1, ..., t_C. Of a factorization machine (Rendle, ICDM 2010, equation 4):
//   h = x_ni                                       for the weight w_i
//   h = x_ni (q_nf - v_if x_ni),  q = X V          for the factor v_if
// and of higher-order and field-aware ones (their headers have the formulas), where A_m leaves the feature i out:
//   h = x_ni (A_1 + ... + A_{order - 1})(v_f, x_n)
//   h = x_ni sum of v_j,f(i) x_nj over the features j of field g      for the factors v_ig
#pragma once

#include <gradus/models/training/detail/lane_elements.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace gradus {

/// The rows of X by feature.
class FeatureRows {
 public:
  /// x csr float32 [n, p]; `root_weight` has the square root of each row's weight, or nothing where all are 1.
  FeatureRows(const Tensor& x, std::vector<float> root_weight);

  std::int64_t features() const { return std::ssize(start_) - 1; }
  const Tensor& x() const { return x_; }
  std::span<const float> root_weight() const { return root_weight_; }
  /// Where the elements of a feature begin in arrays of all non-zeros, feature by feature.
  std::int64_t start(std::int64_t feature) const { return start_[static_cast<std::size_t>(feature)]; }
  /// The rows that hold the feature, ascending; x_ni there, and x_ni times the square root of the row's weight.
  std::span<const Index> rows(std::int64_t feature) const { return part(std::span(row_), feature); }
  std::span<const float> x(std::int64_t feature) const {
    return ones_.empty() ? part(std::span(x_by_feature_), feature) : ones(feature);
  }
  std::span<const float> weighted(std::int64_t feature) const {
    return root_weight_.empty() ? x(feature) : part(std::span(weighted_), feature);
  }
  /// Whether all of x is 1; x(feature) then is that many ones.
  bool all_ones() const { return !ones_.empty(); }

 private:
  std::span<const float> ones(std::int64_t feature) const {
    return std::span(ones_).first(static_cast<std::size_t>(start(feature + 1) - start(feature)));
  }
  template <class T>
  std::span<const T> part(std::span<const T> all, std::int64_t feature) const {
    return all.subspan(static_cast<std::size_t>(start(feature)),
                       static_cast<std::size_t>(start(feature + 1) - start(feature)));
  }

  Tensor x_;
  std::vector<float> root_weight_;
  std::vector<std::int64_t> start_;  // [p + 1]
  std::vector<Index> row_;           // [non-zeros], feature by feature
  std::vector<float> x_by_feature_;  // likewise; or, where all are 1,
  std::vector<float> ones_;          // as many as the most frequent feature has
  std::vector<float> weighted_;      // [non-zeros], only where rows have weights
};

/// The parameters of the features, a row t_1, ..., t_C each: w_i, v_i1, ..., v_ik of a factorization machine.   [p, C]
struct ParameterTable {
  ParameterTable(std::int64_t p, std::int64_t each)
      : columns(each), stride(1 + (each + 2) / 4 * 4), values(static_cast<std::size_t>(p * stride)) {}
  float* row(std::int64_t feature) { return &values[static_cast<std::size_t>(feature * stride)]; }
  const float* row(std::int64_t feature) const { return &values[static_cast<std::size_t>(feature * stride)]; }

  std::int64_t columns;
  std::int64_t stride;  // one number, then fours: loops read past the last column
  std::vector<float> values;
};

class Coordinates {
 public:
  Coordinates() = default;
  Coordinates(const Coordinates&) = delete;
  Coordinates& operator=(const Coordinates&) = delete;
  virtual ~Coordinates() = default;

  /// All of the table has been set anew.
  virtual void restart() = 0;
  /// H_cn = h_nc times the square root of the weight of row n, 0 of pads: of the weight (`first` 0, `count` 1), or of
  /// factors in fours behind it, as far as a row of the table goes.   [count, lanes.length, 8]
  virtual void slopes(const Lanes& lanes, std::int64_t first, std::int64_t count, float* H) const = 0;
  /// How many factors slopes() is best asked for at a time, a multiple of four.
  virtual std::int64_t factors_at_once() const { return 4; }
  /// Adds delta to the table's rows of the lanes' features. Features that no row holds both may be moved at once.
  ///   [table.stride, 8]
  virtual void move(const Lanes& lanes, const float* delta) = 0;
  /// q, where it is kept, in rows of table.stride - 1; who moves other features than those of X moves it along.
  virtual std::span<float> products() { return {}; }

  /// Where each row has an element in each of two columns, all 1: of each element the other one of the row, itself of
  /// pads. Else nothing.   [elements]
  virtual std::span<const Index> partners() const { return {}; }
  /// With partners: what y_hat has beside w0 and what the lanes' features give.   [length, 8]
  virtual void rest(const Lanes&, float*) const {}
};

/// Whether coordinates of a model, but for field-aware ones, ask for values also where all are 1: not those of rows
/// that have two elements each.
bool ask_for_ones(const Tensor& x, const Tensor& B = {});

/// Of linear models (C = 1) and factorization machines of order 2 (C = 1 + k). With B, csr [columns of X, q], the table
/// has q more rows, whose features rows have by way of X's columns (models/data/relations.h). What is given must
/// outlive it.
std::unique_ptr<Coordinates> fm_coordinates(const LaneElements& elements, ParameterTable& table, const Tensor& B = {});

/// Of higher-order ones, whose orders share their factors (C = 1 + k).
std::unique_ptr<Coordinates> higher_order_coordinates(const LaneElements& elements, ParameterTable& table, int order);
/// Of field-aware ones (C = 1 + fields k); a row may have several features of a field. Of features of field -1 the
/// slopes of the factors are 0.
std::unique_ptr<Coordinates> field_aware_coordinates(const LaneElements& elements, ParameterTable& table,
                                                     const std::vector<Index>& field_of, std::int64_t k);

}  // namespace gradus
