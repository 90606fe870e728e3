#include <gradus/models/metrics.h>

#include <gradus/core/error.h>
#include <gradus/models/task.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

namespace gradus {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

void check(std::string_view metric, const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  if (y.shape() != y_hat.shape() || y.layout() != Layout::dense || y_hat.layout() != Layout::dense)
    fail<TypeError>("{}: y is {} but y_hat is {}; dense tensors of one shape are expected", metric, y.type(),
                    y_hat.type());
  if (weight.shape() == Shape{0}) return;
  if (weight.shape() != y.shape() || weight.layout() != Layout::dense)
    fail<TypeError>("{}: y is {} but weight is {}; dense tensors of one shape are expected", metric, y.type(),
                    weight.type());
  for (std::int64_t i = 0; i < weight.stored(); ++i)
    if (const double w = weight.stored_value(i); !std::isfinite(w) || w < 0)
      fail<ValueError>("{}: weight {} is {}; a finite number, 0 or more, is expected", metric, i, w);
}

double weight_of(const Tensor& weight, std::int64_t row) { return weight.stored() > 0 ? weight.stored_value(row) : 1; }

// The mean of f(logits of a row, its class).
template <class F>
double mean_of_classes(std::string_view metric, const Tensor& y, const Tensor& logits, const Tensor& weight, F f) {
  if (logits.rank() != 2 || logits.layout() != Layout::dense || y.shape() != Shape{logits.dim(0), 1})
    fail<TypeError>("{}: y is {} but the logits are {}; [n, 1] and a dense [n, c] are expected", metric, y.type(),
                    logits.type());
  check(metric, y, y, weight);
  const std::int64_t classes = logits.dim(1);
  std::vector<double> row(static_cast<std::size_t>(classes));
  double sum = 0, weights = 0;
  for (std::int64_t i = 0; i < y.stored(); ++i) {
    const double target = y.stored_value(i);
    if (!(target >= 0 && target < static_cast<double>(classes)) || target != std::floor(target))
      fail<ValueError>("{}: target {} is {}; a class from 0 to {} is expected", metric, i, target, classes - 1);
    for (std::int64_t c = 0; c < classes; ++c) row[static_cast<std::size_t>(c)] = logits.stored_value(i * classes + c);
    const double w = weight_of(weight, i);
    if (w > 0) sum += w * f(row, static_cast<std::size_t>(target));
    weights += w;
  }
  return sum / weights;
}

template <class F>
double mean(std::string_view metric, const Tensor& y, const Tensor& y_hat, const Tensor& weight, F f) {
  check(metric, y, y_hat, weight);
  double sum = 0;
  double weights = 0;
  for (std::int64_t i = 0; i < y.stored(); ++i) {
    const double w = weight_of(weight, i);
    // A row that does not count may be wrong without bound.
    if (w > 0) sum += w * f(y.stored_value(i), y_hat.stored_value(i));
    weights += w;
  }
  return sum / weights;
}

// The AUC of some rows, which it sorts: the sum over the negatives of the weight of the positives above them.
double auc_of(std::span<std::int64_t> rows, const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  if (std::any_of(rows.begin(), rows.end(), [&](std::int64_t i) { return std::isnan(y_hat.stored_value(i)); }))
    return not_a_number;
  std::sort(rows.begin(), rows.end(),
            [&](std::int64_t a, std::int64_t b) { return y_hat.stored_value(a) > y_hat.stored_value(b); });
  double positives = 0;  // weight so far
  double negatives = 0;
  double above = 0;
  for (std::size_t first = 0; first < rows.size();) {
    const double score = y_hat.stored_value(rows[first]);
    double tied_positives = 0;
    double tied_negatives = 0;
    for (; first < rows.size() && y_hat.stored_value(rows[first]) == score; ++first)
      (y.stored_value(rows[first]) > 0 ? tied_positives : tied_negatives) += weight_of(weight, rows[first]);
    above += tied_negatives * (positives + tied_positives / 2);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  return positives > 0 && negatives > 0 ? above / (positives * negatives) : not_a_number;
}

std::vector<std::int64_t> all_rows(const Tensor& y) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(y.stored()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

double squared(double a, double b) { return (a - b) * (a - b); }

}  // namespace

double mse(const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  return mean("mse", y, y_hat, weight, squared);
}

double rmse(const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  return std::sqrt(mean("rmse", y, y_hat, weight, squared));
}

double mae(const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  return mean("mae", y, y_hat, weight, [](double a, double b) { return std::abs(a - b); });
}

double log_loss(const Tensor& y, const Tensor& probability, const Tensor& weight) {
  check_targets(Task::binary, y);
  return mean("log_loss", y, probability, weight, [](double a, double p) { return -std::log(a > 0 ? p : 1 - p); });
}

double log_loss_of_logits(const Tensor& y, const Tensor& logit, const Tensor& weight) {
  check_targets(Task::binary, y);
  // ln(1 + e^-m) of the margin m = y logit, without overflow.
  return mean("log_loss_of_logits", y, logit, weight, [](double a, double z) {
    const double m = a * z;
    return std::max(-m, 0.0) + std::log1p(std::exp(-std::abs(m)));
  });
}

double accuracy_of_logits(const Tensor& y, const Tensor& logit, const Tensor& weight) {
  check_targets(Task::binary, y);
  return mean("accuracy_of_logits", y, logit, weight,
              [](double a, double z) { return (a > 0) == (z >= 0) ? 1.0 : 0.0; });
}

double multiclass_log_loss(const Tensor& y, const Tensor& logits, const Tensor& weight) {
  return mean_of_classes("multiclass_log_loss", y, logits, weight, [](const std::vector<double>& row, std::size_t y_i) {
    const double greatest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double logit : row) sum += std::exp(logit - greatest);
    return std::log(sum) + greatest - row[y_i];
  });
}

double multiclass_accuracy(const Tensor& y, const Tensor& logits, const Tensor& weight) {
  return mean_of_classes("multiclass_accuracy", y, logits, weight, [](const std::vector<double>& row, std::size_t y_i) {
    return std::max_element(row.begin(), row.end()) - row.begin() == static_cast<std::ptrdiff_t>(y_i) ? 1.0 : 0.0;
  });
}

double r2(const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  const double error = mean("r2", y, y_hat, weight, squared);
  const double of_all = mean("r2", y, y_hat, weight, [](double a, double) { return a; });
  const double variance = mean("r2", y, y_hat, weight, [&](double a, double) { return squared(a, of_all); });
  return variance > 0 ? 1 - error / variance : not_a_number;
}

double accuracy(const Tensor& y, const Tensor& probability, const Tensor& weight) {
  check_targets(Task::binary, y);
  return mean("accuracy", y, probability, weight, [](double a, double p) { return (a > 0) == (p >= 0.5) ? 1.0 : 0.0; });
}

double auc(const Tensor& y, const Tensor& y_hat, const Tensor& weight) {
  check("auc", y, y_hat, weight);
  check_targets(Task::binary, y);
  std::vector<std::int64_t> rows = all_rows(y);
  return auc_of(rows, y, y_hat, weight);
}

double mean_auc(std::span<const Index> group, const Tensor& y, const Tensor& y_hat) {
  check("mean_auc", y, y_hat, {});
  check_targets(Task::binary, y);
  if (static_cast<std::int64_t>(group.size()) != y.stored())
    fail<TypeError>("mean_auc: y is {} but there are {} groups; one for each row is expected", y.type(), group.size());
  const auto group_of = [&](std::int64_t row) { return group[static_cast<std::size_t>(row)]; };
  std::vector<std::int64_t> rows = all_rows(y);
  std::stable_sort(rows.begin(), rows.end(), [&](std::int64_t a, std::int64_t b) { return group_of(a) < group_of(b); });
  double sum = 0;
  double groups = 0;
  for (auto first = rows.begin(); first != rows.end();) {
    const auto last =
        std::find_if(first, rows.end(), [&](std::int64_t row) { return group_of(row) != group_of(*first); });
    const double area = auc_of(std::span(first, last), y, y_hat, {});
    if (!std::isnan(area)) {
      sum += area;
      ++groups;
    }
    first = last;
  }
  return sum / groups;
}

}  // namespace gradus
