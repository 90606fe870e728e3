#include <gradus/models/training/detail/coordinates.h>

#include <gradus/models/training/detail/sampler_loops.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

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
  LinearCoordinates(const LaneElements& elements, ParameterTable& table) : elements_(elements), table_(table) {}

  void restart() override {}
  void slopes(const Lanes& lanes, std::int64_t, std::int64_t, float* H) const override { weights(lanes, H); }
  void move(const Lanes& lanes, const float* delta) override {
    for (std::size_t j = 0; j < static_cast<std::size_t>(lanes.features); ++j) {
      float* const row = table_.row(lanes.feature[j]);
      for (std::int64_t c = 0; c < table_.stride; ++c) row[c] += delta[8 * c + static_cast<std::int64_t>(j)];
    }
  }

 protected:
  void weights(const Lanes& lanes, float* H) const {
    if (!elements_.weighted().empty()) {
      std::copy_n(elements_.weighted().begin() + lanes.first, 8 * lanes.length, H);
      return;
    }
    const std::int64_t whole = lanes.whole();
    std::fill_n(H, 8 * whole, 1.0F);
    for (std::int64_t r = whole; r < lanes.length; ++r)
      for (std::size_t j = 0; j < 8; ++j) H[8 * r + static_cast<std::int64_t>(j)] = r < lanes.count[j] ? 1 : 0;
  }
  std::int64_t factors() const { return table_.stride - 1; }

  const LaneElements& elements_;
  ParameterTable& table_;
};

// Two elements in every row, as of a user and an item: q_n - v_i x_ni is v_j x_nj of the other, and q is never stored.
// The factors are kept again by fours, of which those of all features lie in the first cache, or nearly.
class PairCoordinates final : public LinearCoordinates {
 public:
  PairCoordinates(const LaneElements& elements, ParameterTable& table)
      : LinearCoordinates(elements, table),
        features_(elements.X().dim(1)),
        other_(elements.row().size(), static_cast<Index>(features_)),
        w_(static_cast<std::size_t>(features_) + 1),
        fours_(static_cast<std::size_t>(factors() * (features_ + 1))) {
    struct First {
      Index element = -1, feature = -1;
    };
    std::vector<First> first(static_cast<std::size_t>(elements.X().dim(0)));
    std::vector<Index> partner(other_.size());
    std::iota(partner.begin(), partner.end(), Index{0});
    const auto meet = [&](Index element, Index feature) {
      const Index n = elements.row()[static_cast<std::size_t>(element)];
      if (n == elements.X().dim(0)) return;
      First& of_row = first[static_cast<std::size_t>(n)];
      if (of_row.element < 0) {
        of_row = {element, feature};
        return;
      }
      const auto a = static_cast<std::size_t>(element), b = static_cast<std::size_t>(of_row.element);
      partner[a] = of_row.element;
      partner[b] = element;
      other_[a] = of_row.feature;
      other_[b] = feature;
    };
    bool one_hot = elements.columns() == 2;
    for (std::size_t g = 0; g < elements.columns(); ++g) {
      std::int64_t count = 0;
      for (const Lanes& lanes : elements.lanes(g))
        for (std::int64_t at = 0; at < 8 * lanes.length; ++at) {
          meet(static_cast<Index>(lanes.first + at), lanes.feature[static_cast<std::size_t>(at % 8)]);
          if (at < 8) count += lanes.count[static_cast<std::size_t>(at)];
        }
      one_hot = one_hot && elements.is_one_hot(g) && count == elements.X().dim(0);
    }
    if (!elements.all_ones()) {
      for (std::size_t at = 0; at < partner.size(); ++at)
        product_.push_back(elements.weighted()[at] * elements.value()[static_cast<std::size_t>(partner[at])]);
    } else if (one_hot) {
      partner_ = std::move(partner);
    }
    if (product_.empty() && features_ <= std::numeric_limits<std::uint16_t>::max()) {
      short_other_.assign(other_.begin(), other_.end());
      other_ = {};
    }
  }

  void restart() override {
    for (std::int64_t i = 0; i < features_; ++i) keep(i);
  }
  void slopes(const Lanes& lanes, std::int64_t first, std::int64_t count, float* H) const override {
    if (first == 0) return weights(lanes, H);
    for (std::int64_t c = 0; c < count; c += 4)
      gather_slopes({.table = &fours_[static_cast<std::size_t>((first - 1 + c) * (features_ + 1))],
                     .stride = 4,
                     .index = other_.empty() ? nullptr : other_.data() + lanes.first,
                     .short_index = short_other_.empty() ? nullptr : short_other_.data() + lanes.first,
                     .columns = 4,
                     .scale = product_.empty() ? nullptr : product_.data() + lanes.first,
                     .x = nullptr,
                     .own = {},
                     .length = lanes.length,
                     .H = H + 8 * lanes.length * c});
  }
  void move(const Lanes& lanes, const float* delta) override {
    LinearCoordinates::move(lanes, delta);
    for (std::size_t j = 0; j < static_cast<std::size_t>(lanes.features); ++j) keep(lanes.feature[j]);
  }
  std::span<const Index> partners() const override { return partner_; }
  void rest(const Lanes& lanes, float* f) const override {
    const auto read = [&](const auto& other) {
      for (std::size_t at = 0; at < static_cast<std::size_t>(8 * lanes.length); ++at)
        f[at] = w_[static_cast<std::size_t>(other[static_cast<std::size_t>(lanes.first) + at])];
    };
    other_.empty() ? read(short_other_) : read(other_);
  }

 private:
  void keep(std::int64_t feature) {
    const float* const t = table_.row(feature);
    w_[static_cast<std::size_t>(feature)] = t[0];
    for (std::int64_t c = 0; c < factors(); c += 4)
      std::copy_n(t + 1 + c, 4, &fours_[static_cast<std::size_t>(c * (features_ + 1) + 4 * feature)]);
  }

  std::int64_t features_;
  std::vector<Index> partner_;  // [elements], where y_hat can be told; else nothing
  std::vector<Index> other_;    // [elements]: the other feature of the row, p of pads; or, where that is short enough,
  std::vector<std::uint16_t> short_other_;
  std::vector<float>
      product_;               // [elements]: x_ni x_nj, times the square root of the row's weight; none where all are 1
  std::vector<float> w_;      // [p + 1], a 0 at the end
  std::vector<float> fours_;  // [k / 4, p + 1, 4], zeros at the end
};

// Any X: q = X V [n, k] is kept, and moves with V; of a higher order behind it A_2, ..., A_T, T = order - 1
// (sampler_loops.h). Behind the last row is one of zeros, for pads.
class FactorCoordinates final : public LinearCoordinates {
 public:
  FactorCoordinates(const LaneElements& elements, ParameterTable& table, const Tensor& B, std::int64_t terms)
      : LinearCoordinates(elements, table),
        B_(B),
        terms_(terms),
        stride_(terms * factors()),
        q_(static_cast<std::size_t>((elements.X().dim(0) + 1) * stride_)) {}

  void restart() override {
    std::fill(q_.begin(), q_.end(), 0.0F);
    std::vector<float> v(static_cast<std::size_t>(factors()));
    for (std::size_t g = 0; g < elements_.columns(); ++g)
      for (const Lanes& lanes : elements_.lanes(g))
        for (std::size_t j = 0; j < static_cast<std::size_t>(lanes.features); ++j) {
          std::copy_n(table_.row(lanes.feature[j]) + 1, factors(), v.begin());
          if (B_.rank() == 2) add_line(lanes.feature[j], v);
          add_to_q(lanes, j, nullptr, v.data());
        }
  }
  void slopes(const Lanes& lanes, std::int64_t first, std::int64_t count, float* H) const override {
    if (first == 0) return weights(lanes, H);
    GatherSlopes task{.table = q_.data() + first - 1,
                      .stride = stride_,
                      .index = elements_.row().data() + lanes.first,
                      .short_index = nullptr,
                      .columns = count,
                      .scale = elements_.weighted().data() + lanes.first,
                      .x = elements_.value().data() + lanes.first,
                      .own = {},
                      .length = lanes.length,
                      .H = H,
                      .terms = terms_,
                      .of_term = factors()};
    for (std::size_t j = 0; j < 8; ++j) task.own[j] = table_.row(lanes.feature[j]) + first;
    gather_slopes(task);
  }
  void move(const Lanes& lanes, const float* delta) override {
    std::vector<float> by(static_cast<std::size_t>(factors()));
    for (std::size_t j = 0; j < static_cast<std::size_t>(lanes.features); ++j) {
      for (std::size_t f = 0; f < by.size(); ++f) by[f] = delta[8 * (f + 1) + j];
      add_to_q(lanes, j, table_.row(lanes.feature[j]) + 1, by.data());
    }
    LinearCoordinates::move(lanes, delta);
  }
  std::span<float> products() override { return std::span(q_).first(q_.size() - static_cast<std::size_t>(stride_)); }

 private:
  // v += what the category has by way of it
  void add_line(std::int64_t i, std::vector<float>& v) const {
    const CsrPattern& lines = *B_.pattern();
    const std::span<const float> b = B_.span<float>();
    for (auto at = static_cast<std::size_t>(lines.row_start[static_cast<std::size_t>(i)]);
         at < static_cast<std::size_t>(lines.row_start[static_cast<std::size_t>(i) + 1]); ++at) {
      const float* const of = table_.row(elements_.X().dim(1) + lines.column[at]) + 1;
      for (std::size_t f = 0; f < v.size(); ++f) v[f] += b[at] * of[f];
    }
  }
  // The rows of lane j, or of all where these are of one feature. `own`: what the feature's factors were; null: 0.
  void add_to_q(const Lanes& lanes, std::size_t j, const float* own, const float* v) {
    const std::size_t last = lanes.of_one_feature() ? 8 : j + 1;
    for (std::size_t lane = j; lane < last; ++lane) {
      const std::int64_t at = lanes.first + static_cast<std::int64_t>(lane);
      add_to_rows({.table = q_.data(),
                   .stride = stride_,
                   .columns = factors(),
                   .index = elements_.row().data() + at,
                   .x = elements_.value().data() + at,
                   .own = own,
                   .delta = v,
                   .rows = lanes.count[lane],
                   .terms = terms_});
    }
  }

  Tensor B_;
  std::int64_t terms_;
  std::int64_t stride_;
  std::vector<float> q_;  // [n + 1, terms, k in fours]
};

// Nothing is kept: the slopes of a feature are made of the rows that hold it.
class FieldAwareCoordinates final : public LinearCoordinates {
 public:
  FieldAwareCoordinates(const LaneElements& elements, ParameterTable& table, const std::vector<Index>& field_of,
                        std::int64_t k)
      : LinearCoordinates(elements, table), field_of_(field_of), k_(k) {}

  // A look at a row tells of all factors.
  std::int64_t factors_at_once() const override { return factors(); }
  void slopes(const Lanes& lanes, std::int64_t first, std::int64_t, float* H) const override {
    if (first == 0) return weights(lanes, H);
    const CsrPattern& pattern = *elements_.X().pattern();
    gather_field_slopes({.V = table_.row(0) + 1,
                         .stride = table_.stride,
                         .fields = (table_.columns - 1) / k_,
                         .k = k_,
                         .row_start = pattern.row_start.data(),
                         .column = pattern.column.data(),
                         .value = elements_.X().span<float>().data(),
                         .field_of = field_of_.data(),
                         .feature = lanes.feature,
                         .count = lanes.count,
                         .row = elements_.row().data() + lanes.first,
                         .scale = elements_.weighted().data() + lanes.first,
                         .length = lanes.length,
                         .H = H});
  }

 private:
  std::vector<Index> field_of_;
  std::int64_t k_;
};

}  // namespace

bool ask_for_ones(const Tensor& x, const Tensor& B) { return x.pattern()->row_length() != 2 || B.rank() == 2; }

std::unique_ptr<Coordinates> fm_coordinates(const LaneElements& elements, ParameterTable& table, const Tensor& B) {
  if (table.columns == 1) return std::make_unique<LinearCoordinates>(elements, table);
  if (!ask_for_ones(elements.X(), B)) return std::make_unique<PairCoordinates>(elements, table);
  return std::make_unique<FactorCoordinates>(elements, table, B, 1);
}

std::unique_ptr<Coordinates> higher_order_coordinates(const LaneElements& elements, ParameterTable& table, int order) {
  // Of two features there are no products of three.
  if (!ask_for_ones(elements.X())) return std::make_unique<PairCoordinates>(elements, table);
  return std::make_unique<FactorCoordinates>(elements, table, Tensor(), order - 1);
}

std::unique_ptr<Coordinates> field_aware_coordinates(const LaneElements& elements, ParameterTable& table,
                                                     const std::vector<Index>& field_of, std::int64_t k) {
  return std::make_unique<FieldAwareCoordinates>(elements, table, field_of, k);
}

}  // namespace gradus
