// How good a model's predictions are on a data set, by the metrics of its task.
#pragma once

#include <gradus/core/tensor/tensor.h>
#include <gradus/models/task.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

enum class Metric : std::uint8_t { mse, rmse, mae, r2, log_loss, auc, accuracy, pair_loss };
/// "mse", ..., "log loss", "auc", "accuracy" or "pair loss", as evaluations call it.
std::string_view to_string(Metric metric);

struct Evaluation {
  std::int64_t examples = 0;
  std::vector<std::pair<std::string, double>> metrics;  // by name, the main one first

  /// The loss that training makes small.
  double main() const { return metrics.front().second; }
  /// The metric of that name. Throws ValueError, naming those that are there, where it is none of them.
  double of(std::string_view name) const;
};

/// How good estimates of rows with targets y are: predictions of regression and rankings (pairs of rows, as
/// Task::ranking has them), logits of binary tasks, whose targets are -1 and 1, and of
/// multiclass ones [n, c], whose targets are classes from 0; and weights, or [0] where all count
/// alike.   [n, 1]
Evaluation evaluate(Task task, const Tensor& y, const Tensor& estimate, const Tensor& weight = {});

/// Evaluates rows that come in blocks, of which memory need not hold two, as `evaluate` does all of them at once.
class EvaluationOfBlocks {
 public:
  /// The auc of more than `most` rows is that of every second of them, or every fourth, and so on.
  explicit EvaluationOfBlocks(Task task, std::size_t most = std::size_t{1} << 24);
  void add(const Tensor& y, const Tensor& estimate, const Tensor& weight = {});
  Evaluation evaluation() const;

 private:
  struct Scored {
    float y, estimate, weight;
  };

  void add_targets(const Tensor& y, const Tensor& weight, double weights);
  void keep(const Tensor& y, const Tensor& estimate, const Tensor& weight);

  Task task_;
  std::size_t most_;
  Evaluation sum_;                     // of metrics times weights
  double weights_ = 0;                 // of all rows
  double mean_ = 0, variance_ = 0;     // of the targets of regression
  std::vector<Scored> kept_;           // rows of binary tasks, from which auc is found:
  std::int64_t apart_ = 1, next_ = 0;  // one in how many, and how many come before the next one
};

/// Whether more of the metric is better, as of auc, or less, as of losses.
bool more_is_better(std::string_view metric);

/// A loss or a metric with four significant digits, or all before the point: "0.8632", "0.001274", "4.381e+12".
std::string shown_metric(double value);

/// "mse", "log loss" or, of rankings, "pair loss": what comes first in an evaluation.
std::string main_metric(Task task);
/// All of them, the main one first.
std::vector<std::string> metrics_of(Task task);

/// "mse 0.8632  rmse 0.9291  mae 0.7312  r2 0.3141"
std::string to_string(const Evaluation& evaluation);

}  // namespace gradus
