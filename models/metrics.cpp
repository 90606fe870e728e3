#include <gradus/models/metrics.h>

#include <gradus/core/error.h>
#include <gradus/models/task.h>

#include <cmath>

namespace gradus {

namespace {

template <class F>
double mean(std::string_view metric, const Tensor& y, const Tensor& y_hat, F f) {
  if (y.shape() != y_hat.shape() || y.layout() != Layout::dense || y_hat.layout() != Layout::dense)
    fail<TypeError>("{}: y is {} but y_hat is {}; dense tensors of one shape are expected", metric, y.type(),
                    y_hat.type());
  double sum = 0;
  for (std::int64_t i = 0; i < y.stored(); ++i) sum += f(y.stored_value(i), y_hat.stored_value(i));
  return sum / static_cast<double>(y.stored());
}

}  // namespace

double mse(const Tensor& y, const Tensor& y_hat) {
  return mean("mse", y, y_hat, [](double a, double b) { return (a - b) * (a - b); });
}

double rmse(const Tensor& y, const Tensor& y_hat) {
  return std::sqrt(mean("rmse", y, y_hat, [](double a, double b) { return (a - b) * (a - b); }));
}

double mae(const Tensor& y, const Tensor& y_hat) {
  return mean("mae", y, y_hat, [](double a, double b) { return std::abs(a - b); });
}

double log_loss(const Tensor& y, const Tensor& probability) {
  check_targets(Task::binary, y);
  return mean("log_loss", y, probability, [](double a, double p) { return -std::log(a > 0 ? p : 1 - p); });
}

double accuracy(const Tensor& y, const Tensor& probability) {
  check_targets(Task::binary, y);
  return mean("accuracy", y, probability, [](double a, double p) { return (a > 0) == (p >= 0.5) ? 1.0 : 0.0; });
}

}  // namespace gradus
