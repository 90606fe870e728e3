#include <gradus/models/training/evaluation.h>

#include <gradus/models/metrics.h>

#include <fmt/format.h>

#include <cmath>

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

Evaluation evaluate(std::string_view task, const Tensor& y, const Tensor& prediction, const Tensor& weight) {
  if (task == "ranking") return evaluate_pairs(y, prediction, weight);
  Evaluation out;
  out.examples = y.size();
  if (task == "regression")
    out.metrics = {{"mse", mse(y, prediction, weight)},
                   {"rmse", rmse(y, prediction, weight)},
                   {"mae", mae(y, prediction, weight)}};
  else
    out.metrics = {{"log loss", log_loss(y, prediction, weight)},
                   {"auc", auc(y, prediction, weight)},
                   {"accuracy", accuracy(y, prediction, weight)}};
  return out;
}

std::string main_metric(std::string_view task) {
  return task == "regression" ? "mse" : task == "ranking" ? "pair loss" : "log loss";
}

std::string to_string(const Evaluation& evaluation) {
  std::string text;
  for (const auto& [name, value] : evaluation.metrics)
    text += fmt::format("{}{} {:.4f}", text.empty() ? "" : "  ", name, value);
  return text;
}

}  // namespace gradus
