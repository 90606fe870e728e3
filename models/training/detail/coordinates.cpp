#include <gradus/models/training/detail/coordinates.h>

#include <gradus/models/training/detail/sampler_loops.h>

#include <algorithm>
#include <numeric>

namespace gradus {

// A counting sort, which keeps the rows of a feature ascending.
FeatureRows::FeatureRows(const Tensor& x, std::vector<float> root_weight)
    : x_(x), root_weight_(std::move(root_weight)), start_(static_cast<std::size_t>(x.dim(1)) + 1) {
  const CsrPattern& pattern = *x.pattern();
  const std::span<const float> values = x.span<float>();
  const bool ones = std::all_of(values.begin(), values.end(), [](float each) { return each == 1; });
  for (const Index i : pattern.column) ++start_[static_cast<std::size_t>(i) + 1];
  if (ones) ones_.assign(static_cast<std::size_t>(*std::max_element(start_.begin(), start_.end())), 1.0F);
  std::partial_sum(start_.begin(), start_.end(), start_.begin());
  row_.resize(values.size());
  if (!all_ones()) x_by_feature_.resize(values.size());
  if (!root_weight_.empty()) weighted_.resize(values.size());
  std::vector<std::int64_t> next(start_.begin(), start_.end() - 1);
  for (std::size_t n = 0; n + 1 < pattern.row_start.size(); ++n)
    for (auto at = static_cast<std::size_t>(pattern.row_start[n]);
         at < static_cast<std::size_t>(pattern.row_start[n + 1]); ++at) {
      const auto to = static_cast<std::size_t>(next[static_cast<std::size_t>(pattern.column[at])]++);
      row_[to] = static_cast<Index>(n);
      if (!all_ones()) x_by_feature_[to] = values[at];
      if (!root_weight_.empty()) weighted_[to] = values[at] * root_weight_[n];
    }
}

namespace {

// What linear models and factorization machines have in common: the slope of w_i is x_ni.
class LinearCoordinates : public Coordinates {
 public:
  LinearCoordinates(const FeatureRows& rows, ParameterTable& table) : rows_(rows), table_(table) {}

  void restart() override {}
  void slopes(std::int64_t feature, std::int64_t first, std::int64_t count, float* H) const override {
    std::fill(std::copy_n(rows_.weighted(feature).begin() + first, count, H), H + padded(count), 0.0F);
  }
  void move(std::int64_t feature, const float* delta) override {
    float* const t = table_.row(feature);
    for (std::int64_t c = 0; c < table_.columns; ++c) t[c] += delta[c];
  }

 protected:
  std::int64_t factors() const { return table_.columns - 1; }

  const FeatureRows& rows_;
  ParameterTable& table_;
};

// Two non-zeros in every row, as of a user and an item: q_n - v_i x_ni is v_j x_nj of the other, and q is never stored.
class PairCoordinates final : public LinearCoordinates {
 public:
  PairCoordinates(const FeatureRows& rows, ParameterTable& table) : LinearCoordinates(rows, table) {
    const std::span<const Index> columns = rows.x().pattern()->column;
    const std::span<const float> values = rows.x().span<float>();
    const bool ones = rows.all_ones() && rows.root_weight().empty();
    other_.reserve(values.size());
    if (!ones) product_.reserve(values.size());
    for (std::int64_t i = 0; i < rows.features(); ++i)
      for (std::size_t r = 0; r < rows.rows(i).size(); ++r) {
        const std::size_t first = 2 * static_cast<std::size_t>(rows.rows(i)[r]);
        const std::size_t other = columns[first] == i ? first + 1 : first;
        other_.push_back(columns[other]);
        if (!ones) product_.push_back(rows.weighted(i)[r] * values[other]);
      }
  }

  void slopes(std::int64_t feature, std::int64_t first, std::int64_t count, float* H) const override {
    LinearCoordinates::slopes(feature, first, count, H);
    const auto at = static_cast<std::size_t>(rows_.start(feature) + first);
    gather_slopes({.table = table_.row(0) + 1,
                   .stride = table_.stride,
                   .columns = factors(),
                   .index = other_.data() + at,
                   .scale = product_.empty() ? rows_.x(feature).data() : product_.data() + at,
                   .x = nullptr,
                   .own = nullptr,
                   .rows = count,
                   .H = H + padded(count)});
  }

 private:
  std::vector<Index> other_;    // [non-zeros], feature by feature: the other feature of the row
  std::vector<float> product_;  // [non-zeros]: x_ni x_nj, times the square root of the row's weight; none where
                                // all are 1
};

// Any X: q = X V [n, k] is kept, and moves with V; of a higher order behind it A_2, ..., A_T, T = order - 1
// (sampler_loops.h).
class FactorCoordinates final : public LinearCoordinates {
 public:
  FactorCoordinates(const FeatureRows& rows, ParameterTable& table, const Tensor& B, std::int64_t terms)
      : LinearCoordinates(rows, table),
        B_(B),
        terms_(terms),
        stride_(terms * (table.stride - 1)),
        q_(static_cast<std::size_t>(rows.x().dim(0) * stride_)) {}

  void restart() override {
    std::fill(q_.begin(), q_.end(), 0.0F);
    std::vector<float> v(static_cast<std::size_t>(table_.stride - 1));
    for (std::int64_t i = 0; i < rows_.features(); ++i) {
      std::copy_n(table_.row(i) + 1, table_.stride - 1, v.begin());
      if (B_.rank() == 2) add_line(i, v);
      add_to_q(i, nullptr, v.data());
    }
  }
  void slopes(std::int64_t feature, std::int64_t first, std::int64_t count, float* H) const override {
    LinearCoordinates::slopes(feature, first, count, H);
    gather_slopes({.table = q_.data(),
                   .stride = stride_,
                   .columns = factors(),
                   .index = rows_.rows(feature).data() + first,
                   .scale = rows_.weighted(feature).data() + first,
                   .x = rows_.x(feature).data() + first,
                   .own = table_.row(feature) + 1,
                   .rows = count,
                   .H = H + padded(count),
                   .terms = terms_});
  }
  void move(std::int64_t feature, const float* delta) override {
    add_to_q(feature, table_.row(feature) + 1, delta + 1);
    LinearCoordinates::move(feature, delta);
  }
  std::span<float> products() override { return q_; }

 private:
  // v += what the category has by way of it
  void add_line(std::int64_t i, std::vector<float>& v) const {
    const CsrPattern& lines = *B_.pattern();
    const std::span<const float> b = B_.span<float>();
    for (auto at = static_cast<std::size_t>(lines.row_start[static_cast<std::size_t>(i)]);
         at < static_cast<std::size_t>(lines.row_start[static_cast<std::size_t>(i) + 1]); ++at) {
      const float* const of = table_.row(rows_.features() + lines.column[at]) + 1;
      for (std::size_t f = 0; f < v.size(); ++f) v[f] += b[at] * of[f];
    }
  }
  // `own`: what the feature's factors were; null: 0.
  void add_to_q(std::int64_t feature, const float* own, const float* v) {
    const std::span<const Index> rows = rows_.rows(feature);
    add_to_rows({.table = q_.data(),
                 .stride = stride_,
                 .columns = factors(),
                 .index = rows.data(),
                 .x = rows_.x(feature).data(),
                 .own = own,
                 .delta = v,
                 .rows = std::ssize(rows),
                 .terms = terms_});
  }

  Tensor B_;
  std::int64_t terms_;
  std::int64_t stride_;
  std::vector<float> q_;  // [n, terms, k in fours]
};

// Nothing is kept: the slopes of a feature are made of the rows that hold it.
class FieldAwareCoordinates final : public LinearCoordinates {
 public:
  FieldAwareCoordinates(const FeatureRows& rows, ParameterTable& table, const std::vector<Index>& field_of,
                        std::int64_t k)
      : LinearCoordinates(rows, table), field_of_(field_of), k_(k) {}

  void slopes(std::int64_t feature, std::int64_t first, std::int64_t count, float* H) const override {
    LinearCoordinates::slopes(feature, first, count, H);
    const CsrPattern& pattern = *rows_.x().pattern();
    gather_field_slopes({.V = table_.row(0) + 1,
                         .stride = table_.stride,
                         .fields = factors() / k_,
                         .k = k_,
                         .row_start = pattern.row_start.data(),
                         .column = pattern.column.data(),
                         .value = rows_.x().span<float>().data(),
                         .field_of = field_of_.data(),
                         .feature = static_cast<Index>(feature),
                         .index = rows_.rows(feature).data() + first,
                         .scale = rows_.weighted(feature).data() + first,
                         .rows = count,
                         .H = H + padded(count)});
  }

 private:
  std::vector<Index> field_of_;
  std::int64_t k_;
};

}  // namespace

std::unique_ptr<Coordinates> fm_coordinates(const FeatureRows& rows, ParameterTable& table, const Tensor& B) {
  if (table.columns == 1) return std::make_unique<LinearCoordinates>(rows, table);
  if (rows.x().pattern()->row_length() == 2 && B.rank() != 2) return std::make_unique<PairCoordinates>(rows, table);
  return std::make_unique<FactorCoordinates>(rows, table, B, 1);
}

std::unique_ptr<Coordinates> higher_order_coordinates(const FeatureRows& rows, ParameterTable& table, int order) {
  // Of two features there are no products of three.
  if (rows.x().pattern()->row_length() == 2) return std::make_unique<PairCoordinates>(rows, table);
  return std::make_unique<FactorCoordinates>(rows, table, Tensor(), order - 1);
}

std::unique_ptr<Coordinates> field_aware_coordinates(const FeatureRows& rows, ParameterTable& table,
                                                     const std::vector<Index>& field_of, std::int64_t k) {
  return std::make_unique<FieldAwareCoordinates>(rows, table, field_of, k);
}

}  // namespace gradus
