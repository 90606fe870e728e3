#include <gradus/models/training/evaluation.h>

#include <gradus/core/error.h>
#include <gradus/models/metrics.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace gradus {

namespace {

// Rows 2j and 2j + 1 are a pair, the first of which is to be ranked above the second: the mean of -ln sigma(the
// difference), and the part of the pairs that are ranked so, equal ones counting half.
Evaluation evaluate_pairs(const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  double loss = 0, right = 0, weights = 0;
  for (std::int64_t row = 0; row + 1 < y.size(); row += 2) {
    const double above = y_hat.stored_value(row) - y_hat.stored_value(row + 1);
    const double w = weight.size() > 0 ? weight.stored_value(row) : 1;
    loss += w * (above > 0 ? std::log1p(std::exp(-above)) : std::log1p(std::exp(above)) - above);
    right += w * (above > 0 ? 1 : above == 0 ? 0.5 : 0);
    weights += w;
  }
  return {y.size() / 2, {{"pair loss", loss / weights}, {"auc", right / weights}}};
}

}  // namespace

double Evaluation::of(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& [metric, value] : metrics) {
    if (metric == name) return value;
    names.push_back(metric);
  }
  fail<ValueError>("there is no metric {} here; there are {}", name, fmt::join(names, ", "));
}

Evaluation evaluate(std::string_view task, const Tensor& y, const Tensor& estimate, const Tensor& weight) {
  if (task == "ranking") return evaluate_pairs(y, estimate, weight);
  Evaluation out;
  out.examples = y.size();
  if (task == "regression")
    out.metrics = {{"mse", mse(y, estimate, weight)},
                   {"rmse", rmse(y, estimate, weight)},
                   {"mae", mae(y, estimate, weight)},
                   {"r2", r2(y, estimate, weight)}};
  else if (task == "multiclass")
    out.metrics = {{"log loss", multiclass_log_loss(y, estimate, weight)},
                   {"accuracy", multiclass_accuracy(y, estimate, weight)}};
  else
    out.metrics = {{"log loss", log_loss_of_logits(y, estimate, weight)},
                   {"auc", auc(y, estimate, weight)},
                   {"accuracy", accuracy_of_logits(y, estimate, weight)}};
  return out;
}

std::string main_metric(std::string_view task) {
  return task == "regression" ? "mse" : task == "ranking" ? "pair loss" : "log loss";
}

bool more_is_better(std::string_view metric) { return metric == "auc" || metric == "accuracy" || metric == "r2"; }

std::string shown_metric(double value) {
  const double size = std::abs(value);
  if (!std::isfinite(value) || value == 0) return fmt::format("{:g}", value);
  if (size < 1e-4 || size >= 1e8) return fmt::format("{:.3e}", value);
  const int before_point = static_cast<int>(std::floor(std::log10(size))) + 1;
  return fmt::format("{:.{}f}", value, std::max(4 - before_point, 0));
}

std::string to_string(const Evaluation& evaluation) {
  std::string text;
  for (const auto& [name, value] : evaluation.metrics)
    text += fmt::format("{}{} {}", text.empty() ? "" : "  ", name, shown_metric(value));
  return text;
}

}  // namespace gradus
