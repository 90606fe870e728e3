#include <gradus/models/evaluation.h>

#include <gradus/models/metrics.h>

#include <fmt/format.h>

namespace gradus {

Evaluation evaluate(std::string_view task, const Tensor& y, const Tensor& prediction, const Tensor& weight) {
  (void)weight;
  Evaluation out;
  out.examples = y.size();
  if (task == "regression")
    out.metrics = {{"mse", mse(y, prediction)}, {"rmse", rmse(y, prediction)}, {"mae", mae(y, prediction)}};
  else
    out.metrics = {{"log loss", log_loss(y, prediction)}, {"accuracy", accuracy(y, prediction)}};
  return out;
}

std::string main_metric(std::string_view task) { return task == "regression" ? "mse" : "log loss"; }

std::string to_string(const Evaluation& evaluation) {
  std::string text;
  for (const auto& [name, value] : evaluation.metrics)
    text += fmt::format("{}{} {:.4f}", text.empty() ? "" : "  ", name, value);
  return text;
}

}  // namespace gradus
