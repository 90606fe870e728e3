// How good a model's predictions are on a data set, by the metrics of its task.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

struct Evaluation {
  std::int64_t examples = 0;
  std::vector<std::pair<std::string, double>> metrics;  // by name, the main one first

  /// The metric that training watches: less is better.
  double main() const { return metrics.front().second; }
};

/// Predictions of rows with targets y (of binary tasks -1 and 1; of rankings pairs of rows, as Task::ranking has them)
/// and weights, or [0] where all count alike.   [n, 1] each
Evaluation evaluate(std::string_view task, const Tensor& y, const Tensor& prediction, const Tensor& weight = {});

/// "mse", "log loss" or, of rankings, "pair loss": what comes first in an evaluation.
std::string main_metric(std::string_view task);

/// "mse 0.8632  rmse 0.9291  mae 0.7312"
std::string to_string(const Evaluation& evaluation);

}  // namespace gradus
