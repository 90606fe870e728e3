#include <gradus/models/training/inspection.h>

#include <gradus/core/error.h>
#include <gradus/models/data/detail/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <span>
#include <utility>

namespace gradus {

namespace {

// The vectors of the features: one of each; in a field-aware model one of each for each field that it meets.
class Factors {
 public:
  explicit Factors(const TrainedModel& model) {
    const auto found = model.parameters.find("V");
    if (found == model.parameters.end() || found->second.rank() != 2 || found->second.dtype() != float32) return;
    numbers_ = found->second.span<float>();
    const bool field_aware = model.options.kind == ModelKind::field_aware;
    k_ = static_cast<std::size_t>(field_aware ? model.options.factors : found->second.dim(1));
    vectors_ = static_cast<std::size_t>(found->second.dim(1)) / k_;
    if (field_aware) {
      group_ = *model.columns.field;
    } else if (model.columns.table) {
      group_ = model.columns.table->fields();
      if (model.columns.relations && !group_.empty()) {
        const std::vector<Index> joined = model.columns.relations->fields(group_.back() + 1);
        group_.insert(group_.end(), joined.begin(), joined.end());
      }
    }
    field_aware_ = field_aware;
    norms_.resize(static_cast<std::size_t>(found->second.dim(0)));
    for (std::size_t i = 0; i < norms_.size(); ++i)
      for (std::size_t g = 0; g < vectors_; ++g)
        if (is_used(i, g)) norms_[i] = std::max(norms_[i], std::sqrt(dot(i, g, i, g)));
  }

  bool empty() const { return norms_.empty(); }
  std::size_t count() const { return norms_.size(); }
  // Whether the features, of one field or column, never meet; or have no vector to meet with.
  bool are_no_pair(std::size_t i, std::size_t j) const {
    return !group_.empty() && (group_[i] == group_[j] || (field_aware_ && (group_[i] < 0 || group_[j] < 0)));
  }
  bool are_alike(std::size_t i, std::size_t j) const { return group_.empty() || group_[i] == group_[j]; }
  // The length of the longest vector.
  double norm(std::size_t i) const { return norms_[i]; }
  // What a pair adds to a prediction where both are 1: <v_i, v_j>, or <v_i,f(j), v_j,f(i)>.
  double strength(std::size_t i, std::size_t j) const {
    return field_aware_ ? dot(i, field(j), j, field(i)) : dot(i, 0, j, 0);
  }
  // Of all that two features alike have learnt.
  double cosine(std::size_t i, std::size_t j) const {
    double product = 0, squares_i = 0, squares_j = 0;
    for (std::size_t g = 0; g < vectors_; ++g) {
      if (!is_used(i, g)) continue;
      product += dot(i, g, j, g);
      squares_i += dot(i, g, i, g);
      squares_j += dot(j, g, j, g);
    }
    return squares_i > 0 && squares_j > 0 ? product / std::sqrt(squares_i * squares_j) : 0;
  }

 private:
  std::size_t field(std::size_t i) const { return static_cast<std::size_t>(group_[i]); }
  // The vector for a feature's own field is left as it began: there is none that it could meet.
  bool is_used(std::size_t i, std::size_t g) const { return !field_aware_ || (group_[i] >= 0 && field(i) != g); }
  double dot(std::size_t i, std::size_t of_i, std::size_t j, std::size_t of_j) const {
    const float* const a = &numbers_[(i * vectors_ + of_i) * k_];
    const float* const b = &numbers_[(j * vectors_ + of_j) * k_];
    return std::inner_product(a, a + k_, b, 0.0, std::plus<>(), [](double x, double y) { return x * y; });
  }

  std::span<const float> numbers_;  // [p, vectors, k]
  std::size_t k_ = 1, vectors_ = 1;
  bool field_aware_ = false;
  std::vector<Index> group_;   // the field of each feature, or the column; empty: not known
  std::vector<double> norms_;  // [p]
};

}  // namespace

std::vector<NamedWeight> strongest_features(const TrainedModel& model, std::int64_t count) {
  const auto found = model.parameters.find("W");
  if (found == model.parameters.end() || found->second.dtype() != float32) return {};
  const auto weights = found->second.span<float>();
  std::vector<std::int64_t> order(weights.size());
  std::iota(order.begin(), order.end(), 0);
  const auto weight = [&](std::int64_t i) { return weights[static_cast<std::size_t>(i)]; };
  const std::int64_t shown = std::min(count, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + shown, order.end(), [&](std::int64_t a, std::int64_t b) {
    const float x = std::abs(weight(a)), y = std::abs(weight(b));
    return x != y ? x > y : a < b;
  });
  std::vector<NamedWeight> out;
  for (std::int64_t i = 0; i < shown; ++i) {
    const std::int64_t feature = order[static_cast<std::size_t>(i)];
    // Of several classes each has a weight of a feature.
    const std::int64_t classes = std::max<std::int64_t>(std::ssize(model.classes), 1);
    std::string name = feature_name(model, feature / classes);
    if (classes > 1) name += fmt::format(" for {}", model.classes[static_cast<std::size_t>(feature % classes)]);
    out.push_back({std::move(name), model.target_scale.deviation * static_cast<double>(weight(feature))});
  }
  return out;
}

std::vector<NamedPair> strongest_pairs(const TrainedModel& model, std::int64_t count) {
  if (!model.classes.empty()) return {};  // a pair has as many weights as there are classes
  const Factors v(model);
  std::vector<std::size_t> by_norm(v.count());
  std::iota(by_norm.begin(), by_norm.end(), std::size_t{0});
  std::stable_sort(by_norm.begin(), by_norm.end(), [&](std::size_t a, std::size_t b) { return v.norm(a) > v.norm(b); });
  struct Pair {
    std::size_t i, j;
    double product;
  };
  const auto stronger = [](const Pair& a, const Pair& b) { return std::abs(a.product) > std::abs(b.product); };
  std::vector<Pair> best;  // a heap, the weakest on top
  const auto wanted = static_cast<std::size_t>(count);
  for (std::size_t a = 0; a < by_norm.size(); ++a) {
    for (std::size_t b = a + 1; b < by_norm.size(); ++b) {
      const std::size_t i = by_norm[a], j = by_norm[b];
      // No product is greater than those of the lengths (Cauchy and Schwarz), which fall along the inner loop.
      if (best.size() == wanted && v.norm(i) * v.norm(j) <= std::abs(best.front().product)) break;
      if (v.are_no_pair(i, j)) continue;
      best.push_back({std::min(i, j), std::max(i, j), v.strength(i, j)});
      std::push_heap(best.begin(), best.end(), stronger);
      if (best.size() <= wanted) continue;
      std::pop_heap(best.begin(), best.end(), stronger);
      best.pop_back();
    }
  }
  std::sort_heap(best.begin(), best.end(), stronger);
  std::vector<NamedPair> out;
  for (const auto& [i, j, product] : best)
    out.push_back({feature_name(model, static_cast<std::int64_t>(i)), feature_name(model, static_cast<std::int64_t>(j)),
                   model.target_scale.deviation * product});
  return out;
}

std::int64_t feature_named(const TrainedModel& model, std::string_view name) {
  std::int64_t found = -1;
  if (model.columns.table) {
    found = model.columns.table->feature_named(name);
    if (const std::int64_t joined = found < 0 && model.columns.relations ? model.columns.relations->find(name) : -1;
        joined >= 0)
      found = model.columns.count + joined;
  } else {
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, found);
    if (error != std::errc() || rest != end) found = -1;
    if (found >= 0 && model.format == Format::libsvm) --found;
  }
  if (found < 0 || found >= model.columns.features())
    fail<ValueError>("there is no feature {}; {} is one", in_quotes(name), in_quotes(feature_name(model, 0)));
  return found;
}

std::vector<NamedWeight> nearest_features(const TrainedModel& model, std::string_view name, std::int64_t count) {
  const auto feature = static_cast<std::size_t>(feature_named(model, name));
  const Factors v(model);
  if (v.empty()) fail<ValueError>("the model, {}, has no vector for a feature", to_string(model.options.kind));
  std::vector<std::pair<double, std::size_t>> near;
  for (std::size_t i = 0; i < v.count(); ++i)
    if (i != feature && v.are_alike(i, feature)) near.emplace_back(-v.cosine(i, feature), i);
  const std::int64_t shown = std::min(count, std::ssize(near));
  std::partial_sort(near.begin(), near.begin() + shown, near.end());
  std::vector<NamedWeight> out;
  for (std::int64_t i = 0; i < shown; ++i) {
    const auto& [minus, other] = near[static_cast<std::size_t>(i)];
    out.push_back({feature_name(model, static_cast<std::int64_t>(other)), -minus});
  }
  return out;
}

}  // namespace gradus
