// What a trained model holds, by the names of its features: which weigh most, which belong together.
#pragma once

#include <gradus/models/training/model_file.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

struct NamedWeight {
  std::string name;
  double weight;
};
struct NamedPair {
  std::string first, second;
  double weight;
};

/// The features of greatest |W|, greatest first.
std::vector<NamedWeight> strongest_features(const TrainedModel& model, std::int64_t count);

/// The pairs of features of greatest |<v_i, v_j>|, greatest first; categories of one column, which never meet, are no
/// pair. Exact: the search ends where the lengths of the vectors leave no greater product. Empty where the model has no
/// V [p, k].
std::vector<NamedPair> strongest_pairs(const TrainedModel& model, std::int64_t count);

/// The features whose v points most nearly as that of `name` does (by the cosine), of the same column where there are
/// columns. Throws ValueError where there is no such feature, or the model has no V [p, k].
std::vector<NamedWeight> nearest_features(const TrainedModel& model, std::string_view name, std::int64_t count);

/// The number of a feature by the name that feature_name gives it. Throws ValueError where there is none.
std::int64_t feature_named(const TrainedModel& model, std::string_view name);

}  // namespace gradus
