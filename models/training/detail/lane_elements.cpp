#include <gradus/models/training/detail/lane_elements.h>

#include <algorithm>
#include <utility>

namespace gradus {

namespace {

// A feature of more rows fills eight lanes by itself.
constexpr std::int64_t few_rows = 128;

// The next eight lanes, of features from `at` on, which moves behind them.
Lanes next_lanes(const FeatureColumn& column, const std::vector<std::int64_t>& count, std::size_t& at) {
  const auto of = [&](std::size_t i) { return count[static_cast<std::size_t>(column.features[i])]; };
  Lanes out;
  out.feature.fill(column.features[at]);
  const bool alone = !column.one_hot || of(at) > few_rows;
  out.features = alone ? 1 : std::min<std::int64_t>(8, std::ssize(column.features) - static_cast<std::int64_t>(at));
  if (out.of_one_feature())
    for (std::int64_t j = 0; j < 8; ++j) out.count[static_cast<std::size_t>(j)] = (of(at) + 7 - j) / 8;
  for (std::size_t j = 0; j < static_cast<std::size_t>(out.features); ++j, ++at) {
    out.feature[j] = column.features[at];
    if (!out.of_one_feature()) out.count[j] = of(at);
  }
  out.length = *std::max_element(out.count.begin(), out.count.end());
  return out;
}

}  // namespace

Lanes Lanes::part(std::int64_t step, std::int64_t most) const {
  Lanes out = *this;
  out.first += 8 * step;
  out.length = std::min(most, length - step);
  for (std::int64_t& each : out.count) each = std::clamp<std::int64_t>(each - step, 0, out.length);
  return out;
}

std::int64_t Lanes::whole() const { return *std::min_element(count.begin(), count.end()); }

LaneElements::LaneElements(const Tensor& x, std::vector<float> root_weight, const std::vector<FeatureColumn>& columns,
                           bool keeps_ones)
    : x_(x), root_weight_(std::move(root_weight)), lanes_(columns.size()), first_{0} {
  const CsrPattern& pattern = *x.pattern();
  const std::span<const float> values = x.span<float>();
  all_ones_ = root_weight_.empty() && std::all_of(values.begin(), values.end(), [](float each) { return each == 1; });
  std::vector<std::int64_t> count(static_cast<std::size_t>(x.dim(1)));
  for (const Index i : pattern.column) ++count[static_cast<std::size_t>(i)];

  struct Next {
    std::int64_t element = 0, step = 8;
  };
  std::vector<Next> next(count.size());
  std::int64_t elements = 0;
  for (std::size_t g = 0; g < columns.size(); ++g) {
    FeatureColumn column = columns[g];
    one_hot_.push_back(column.one_hot);
    if (column.one_hot)
      std::stable_sort(column.features.begin(), column.features.end(), [&](Index a, Index b) {
        return count[static_cast<std::size_t>(a)] > count[static_cast<std::size_t>(b)];
      });
    for (std::size_t at = 0; at < column.features.size();) {
      Lanes lanes = next_lanes(column, count, at);
      lanes.first = elements;
      for (std::int64_t j = 0; j < lanes.features; ++j)
        next[static_cast<std::size_t>(lanes.feature[static_cast<std::size_t>(j)])] = {elements + j,
                                                                                      lanes.of_one_feature() ? 1 : 8};
      elements += 8 * lanes.length;
      lanes_[g].push_back(lanes);
    }
    first_.push_back(elements);
  }

  const bool has_values = keeps_ones || !all_ones_;
  row_.resize(static_cast<std::size_t>(elements), static_cast<Index>(pattern.rows));
  if (has_values) value_.resize(row_.size());
  if (!root_weight_.empty()) weighted_.resize(row_.size());
  for (std::size_t n = 0; n + 1 < pattern.row_start.size(); ++n)
    for (auto at = static_cast<std::size_t>(pattern.row_start[n]);
         at < static_cast<std::size_t>(pattern.row_start[n + 1]); ++at) {
      Next& to = next[static_cast<std::size_t>(pattern.column[at])];
      const auto element = static_cast<std::size_t>(to.element);
      to.element += to.step;
      row_[element] = static_cast<Index>(n);
      if (has_values) value_[element] = values[at];
      if (!root_weight_.empty()) weighted_[element] = values[at] * root_weight_[n];
    }
}

}  // namespace gradus
