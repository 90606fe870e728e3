#include <gradus/models/training/inspection.h>

#include <gradus/core/error.h>
#include <gradus/models/data/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

namespace gradus {

namespace {

// The vectors of the features.
class Factors {
 public:
  explicit Factors(const TrainedModel& model) {
    const auto found = model.parameters.find("V");
    if (found == model.parameters.end() || found->second.rank() != 2 || found->second.dtype() != float32) return;
    numbers_ = found->second.span<float>();
    k_ = static_cast<std::size_t>(found->second.dim(1));
    norms_.resize(numbers_.size() / k_);
    for (std::size_t i = 0; i < norms_.size(); ++i) norms_[i] = std::sqrt(product(i, i));
  }

  bool empty() const { return norms_.empty(); }
  std::size_t count() const { return norms_.size(); }
  double norm(std::size_t i) const { return norms_[i]; }
  double product(std::size_t i, std::size_t j) const {
    double sum = 0;
    for (std::size_t f = 0; f < k_; ++f)
      sum += static_cast<double>(numbers_[i * k_ + f]) * static_cast<double>(numbers_[j * k_ + f]);
    return sum;
  }

 private:
  std::span<const float> numbers_;  // [p, k]
  std::size_t k_ = 1;
  std::vector<double> norms_;  // [p]
};

// The column that each feature is of; empty where it is not known.
std::vector<Index> columns_of(const TrainedModel& model) {
  return model.table ? model.table->fields() : std::vector<Index>();
}

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
  const std::vector<Index> column = columns_of(model);
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
      // |<v_i, v_j>| <= |v_i| |v_j| (Cauchy and Schwarz), which falls along the inner loop.
      if (best.size() == wanted && v.norm(i) * v.norm(j) <= std::abs(best.front().product)) break;
      if (!column.empty() && column[i] == column[j]) continue;
      best.push_back({std::min(i, j), std::max(i, j), v.product(i, j)});
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
  if (model.table) {
    // A column's name may hold '=' itself.
    for (std::size_t at = name.find('='); found < 0 && at != std::string_view::npos; at = name.find('=', at + 1))
      if (const std::int64_t column = model.table->find(name.substr(0, at));
          column >= 0 && model.table->hash_bits() == 0 &&
          model.table->columns()[static_cast<std::size_t>(column)].kind == ColumnKind::categorical)
        found = model.table->feature(static_cast<std::size_t>(column), name.substr(at + 1));
    if (const std::int64_t column = model.table->find(name);
        column >= 0 && model.table->columns()[static_cast<std::size_t>(column)].kind == ColumnKind::numeric)
      found = model.table->feature(static_cast<std::size_t>(column));
  } else {
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, found);
    if (error != std::errc() || rest != end) found = -1;
    if (found >= 0 && model.format == Format::libsvm) --found;
  }
  if (found < 0 || found >= model.features)
    fail<ValueError>("there is no feature {}; {} is one", in_quotes(name), in_quotes(feature_name(model, 0)));
  return found;
}

std::vector<NamedWeight> nearest_features(const TrainedModel& model, std::string_view name, std::int64_t count) {
  const auto feature = static_cast<std::size_t>(feature_named(model, name));
  const Factors v(model);
  if (v.empty()) fail<ValueError>("the model, {}, has no vector for a feature", model.options.model);
  const std::vector<Index> column = columns_of(model);
  const auto cosine = [&](std::size_t i) {
    const double norms = v.norm(i) * v.norm(feature);
    return norms > 0 ? v.product(i, feature) / norms : 0;
  };
  std::vector<std::pair<double, std::size_t>> near;
  for (std::size_t i = 0; i < v.count(); ++i)
    if (i != feature && (column.empty() || column[i] == column[feature])) near.emplace_back(-cosine(i), i);
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
