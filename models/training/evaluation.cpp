#include <gradus/models/training/evaluation.h>

#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/models/metrics.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace gradus {

namespace {

// The values of a task's metrics with their names.
std::vector<std::pair<std::string, double>> named(Task task, const std::vector<double>& values) {
  const std::vector<std::string> names = metrics_of(task);
  std::vector<std::pair<std::string, double>> out;
  for (std::size_t m = 0; m < names.size(); ++m) out.emplace_back(names[m], values[m]);
  return out;
}

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
  return {y.size() / 2, named(Task::ranking, {loss / weights, right / weights})};
}

}  // namespace

std::string_view to_string(Metric metric) {
  switch (metric) {
    case Metric::mse: return "mse";
    case Metric::rmse: return "rmse";
    case Metric::mae: return "mae";
    case Metric::r2: return "r2";
    case Metric::log_loss: return "log loss";
    case Metric::auc: return "auc";
    case Metric::accuracy: return "accuracy";
    case Metric::pair_loss: return "pair loss";
  }
  return "";
}

std::vector<std::string> metrics_of(Task task) {
  switch (task) {
    case Task::regression: return {"mse", "rmse", "mae", "r2"};
    case Task::ranking: return {"pair loss", "auc"};
    case Task::multiclass: return {"log loss", "accuracy"};
    case Task::binary: break;
  }
  return {"log loss", "auc", "accuracy"};
}

double Evaluation::of(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const auto& [metric, value] : metrics) {
    if (metric == name) return value;
    names.push_back(metric);
  }
  fail<ValueError>("there is no metric {} here; there are {}", name, listed(names));
}

Evaluation evaluate(Task task, const Tensor& y, const Tensor& estimate, const Tensor& weight) {
  if (task == Task::ranking) return evaluate_pairs(y, estimate, weight);
  Evaluation out;
  out.examples = y.size();
  if (task == Task::regression)
    out.metrics = named(
        task, {mse(y, estimate, weight), rmse(y, estimate, weight), mae(y, estimate, weight), r2(y, estimate, weight)});
  else if (task == Task::multiclass)
    out.metrics = named(task, {multiclass_log_loss(y, estimate, weight), multiclass_accuracy(y, estimate, weight)});
  else
    out.metrics = named(task, {log_loss_of_logits(y, estimate, weight), auc(y, estimate, weight),
                               accuracy_of_logits(y, estimate, weight)});
  return out;
}

EvaluationOfBlocks::EvaluationOfBlocks(Task task, std::size_t most)
    : task_(task), most_(most), sum_{0, named(task, std::vector<double>(metrics_of(task).size()))} {}

void EvaluationOfBlocks::add(const Tensor& y, const Tensor& estimate, const Tensor& weight) {
  const Evaluation of_block = evaluate(task_, y, estimate, weight);
  double weights = static_cast<double>(y.size());
  if (weight.size() > 0) {
    weights = 0;
    for (std::int64_t row = 0; row < weight.size(); ++row) weights += weight.stored_value(row);
  }
  if (weights == 0) return;
  sum_.examples += of_block.examples;
  for (std::size_t m = 0; m < of_block.metrics.size(); ++m)
    sum_.metrics[m].second += weights * of_block.metrics[m].second;
  if (task_ == Task::regression) add_targets(y, weight, weights);
  if (task_ == Task::binary) keep(y, estimate, weight);
  weights_ += weights;
}

// Mean and variance of both parts: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983,
// equation 2.1.
void EvaluationOfBlocks::add_targets(const Tensor& y, const Tensor& weight, double weights) {
  const auto mean = [&](auto f) {
    double sum = 0;
    for (std::int64_t row = 0; row < y.size(); ++row)
      sum += (weight.size() > 0 ? weight.stored_value(row) : 1) * f(y.stored_value(row));
    return sum / weights;
  };
  const double middle = mean([](double target) { return target; });
  const double variance = mean([&](double target) { return (target - middle) * (target - middle); });
  const double part = weights / (weights_ + weights), apart = middle - mean_;
  variance_ += part * (variance - variance_) + part * (1 - part) * apart * apart;
  mean_ += part * apart;
}

void EvaluationOfBlocks::keep(const Tensor& y, const Tensor& estimate, const Tensor& weight) {
  for (std::int64_t row = 0; row < y.size(); ++row) {
    if (next_-- > 0) continue;
    next_ = apart_ - 1;
    kept_.push_back({static_cast<float>(y.stored_value(row)), static_cast<float>(estimate.stored_value(row)),
                     weight.size() > 0 ? static_cast<float>(weight.stored_value(row)) : 1});
    if (kept_.size() <= most_) continue;
    if (kept_.size() % 2 == 1) next_ += apart_;  // this row stays: the next one is twice as far
    for (std::size_t i = 0; 2 * i < kept_.size(); ++i) kept_[i] = kept_[2 * i];
    kept_.resize((kept_.size() + 1) / 2);
    apart_ *= 2;
  }
}

Evaluation EvaluationOfBlocks::evaluation() const {
  Evaluation all = sum_;
  const auto set = [&](Metric metric, double value) {
    for (auto& [name, of_all] : all.metrics)
      if (name == to_string(metric)) of_all = value;
  };
  for (auto& [name, value] : all.metrics) value /= weights_;
  if (task_ == Task::regression) {
    const double error = all.of(to_string(Metric::mse));
    set(Metric::rmse, std::sqrt(error));
    set(Metric::r2, variance_ > 0 ? 1 - error / variance_ : std::nan(""));
  } else if (task_ == Task::binary) {
    const auto column = [&](float Scored::*member) {
      Tensor out = Tensor::uninitialized({float32, {std::ssize(kept_), 1}, Layout::dense});
      auto* to = reinterpret_cast<float*>(out.writable_data());
      for (const Scored& row : kept_) *to++ = row.*member;
      return out;
    };
    set(Metric::auc, auc(column(&Scored::y), column(&Scored::estimate), column(&Scored::weight)));
  }
  return all;
}

std::string main_metric(Task task) { return metrics_of(task).front(); }

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
