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

/// The pairs of features of greatest |<v_i, v_j>|, greatest first, of field-aware models |<v_i,f(j), v_j,f(i)>|;
/// features of one column or field, which never meet, are no pair. Exact: the search ends where the lengths of the
/// vectors leave no greater product. Empty where the model has no V [p, k] or [p, fields k].
std::vector<NamedPair> strongest_pairs(const TrainedModel& model, std::int64_t count);

/// The features whose v points most nearly as that of `name` does (by the cosine; of field-aware models that of all
/// vectors but the one for their own field), of the same column or field where there are such. Throws ValueError where
/// there is no such feature, or the model has no V.
std::vector<NamedWeight> nearest_features(const TrainedModel& model, std::string_view name, std::int64_t count);

/// The number of a feature by the name that feature_name gives it. Throws ValueError where there is none.
std::int64_t feature_named(const TrainedModel& model, std::string_view name);

}  // namespace gradus
