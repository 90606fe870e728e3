// Metrics against scikit-learn (tests/golden/metrics.json), at their edges, and the exact text of what they refuse.
#include "golden_file.h"
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>
#include <gradus/models/metrics.h>
#include <gradus/models/training/evaluation.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace gradus {
namespace {

using nlohmann::json;

Tensor column(const json& numbers) { return golden_numbers(numbers, {static_cast<std::int64_t>(numbers.size()), 1}); }

using MetricFunction = double (*)(const Tensor&, const Tensor&, const Tensor&);
const std::map<std::string, MetricFunction> all_metrics = {
    {"mse", mse}, {"rmse", rmse}, {"mae", mae}, {"log_loss", log_loss}, {"accuracy", accuracy}, {"auc", auc}};

}  // namespace

TEST_CASE("metrics are scikit-learn's") {
  int checked = 0;
  for (const json& row : read_golden("metrics.json")) {
    CAPTURE(row.at("name").get<std::string>());
    const Tensor y = column(row.at("y")), y_hat = column(row.at("y_hat"));
    if (row.contains("mean_auc")) {
      const auto group = row.at("group").get<std::vector<Index>>();
      CHECK(mean_auc(group, y, y_hat) == doctest::Approx(row.at("mean_auc").get<double>()).epsilon(1e-12));
      continue;
    }
    const Tensor weight = column(row.at("weight"));
    for (const auto& named : all_metrics) {
      const auto name = named.first;
      const MetricFunction metric = named.second;
      if (!row.at("plain").contains(name)) continue;
      CAPTURE(name);
      ++checked;
      CHECK(metric(y, y_hat, {}) == doctest::Approx(row.at("plain").at(name).get<double>()).epsilon(1e-12));
      CHECK(metric(y, y_hat, weight) == doctest::Approx(row.at("weighted").at(name).get<double>()).epsilon(1e-12));
      CHECK(metric(y, y_hat, full(y.shape(), 2.5)) == doctest::Approx(metric(y, y_hat, {})).epsilon(1e-12));
    }
  }
  CHECK(checked == 15);
}

TEST_CASE("metrics at their edges") {
  const Tensor y({{1}, {1}, {-1}, {-1}});
  CHECK(auc(y, Tensor({{4}, {3}, {2}, {1}})) == 1);
  CHECK(auc(y, Tensor({{1}, {2}, {3}, {4}})) == 0);
  CHECK(auc(y, Tensor({{7}, {7}, {7}, {7}})) == 0.5);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(auc(y, Tensor({{infinity}, {0}, {0}, {-infinity}})) == 0.875);
  CHECK(std::isnan(auc(y, Tensor({{1}, {2}, {std::nan("")}, {4}}))));
  CHECK(std::isnan(auc(Tensor({{1}, {1}}), Tensor({{1}, {2}}))));
  CHECK(std::isnan(auc(Tensor({{1}, {-1}}), Tensor({{1}, {2}}), Tensor({{1}, {0}}))));
  CHECK(std::isnan(auc(zeros({0, 1}), zeros({0, 1}))));
  CHECK(std::isnan(mse(zeros({0, 1}), zeros({0, 1}))));
  CHECK(std::isnan(mse(Tensor({{1}}), Tensor({{2}}), Tensor({{0}}))));
  // A row that does not count may be anything.
  CHECK(mse(Tensor({{1}, {1}}), Tensor({{3}, {infinity}}), Tensor({{1}, {0}})) == 4);
  CHECK(std::isinf(log_loss(Tensor({{1}, {-1}}), Tensor({{0}, {0}}))));
  const std::vector<Index> alone{0, 1};
  CHECK(std::isnan(mean_auc(alone, Tensor({{1}, {-1}}), Tensor({{1}, {2}}))));
}

TEST_CASE("what metrics refuse") {
  const Tensor y({{1}, {-1}});
  CHECK(refusal<TypeError>([&] {
          mse(y, Tensor({1, 2}));
        }) == "mse: y is float32 [2, 1] but y_hat is float32 [2]; dense tensors of one shape are expected");
  CHECK(refusal<TypeError>([&] {
          mae(y, y, Tensor({1, 2}));
        }) == "mae: y is float32 [2, 1] but weight is float32 [2]; dense tensors of one shape are expected");
  CHECK(refusal<ValueError>([&] {
          auc(y, y, Tensor({{1}, {-1}}));
        }) == "auc: weight 1 is -1; a finite number, 0 or more, is expected");
  CHECK(refusal<ValueError>([&] {
          auc(Tensor({{1}, {0}}), y);
        }) == "check_targets: target 1 is 0; a binary task takes -1 and 1");
  const std::vector<Index> one{0};
  CHECK(refusal<TypeError>([&] { mean_auc(one, y, y); }) ==
        "mean_auc: y is float32 [2, 1] but there are 1 groups; one for each row is expected");
}

TEST_CASE("logits tell how wrong a prediction is where its probability does not") {
  const Tensor y = Tensor::from(std::vector<float>{1.0F, -1.0F, 1.0F, -1.0F}, {4, 1});
  const Tensor logit = Tensor::from(std::vector<float>{2.0F, 200.0F, -0.5F, -3.0F}, {4, 1});
  const double expected = (std::log1p(std::exp(-2)) + 200 + std::log1p(std::exp(0.5)) + std::log1p(std::exp(-3))) / 4;
  CHECK(log_loss_of_logits(y, logit) == doctest::Approx(expected));
  CHECK(accuracy_of_logits(y, logit) == 0.5);
}

TEST_CASE("the metrics of several classes") {
  const Tensor y = Tensor::from(std::vector<float>{0.0F, 2.0F, 1.0F}, {3, 1});
  const Tensor logits =
      Tensor::from(std::vector<float>{1.0F, 0.0F, 0.0F, 0.0F, 1000.0F, 0.0F, -1.0F, 2.0F, 1.0F}, {3, 3});
  const double first = std::log(std::exp(1) + 2) - 1;
  const double last = std::log(std::exp(-1) + std::exp(2) + std::exp(1)) - 2;
  CHECK(multiclass_log_loss(y, logits) == doctest::Approx((first + 1000 + last) / 3));
  CHECK(multiclass_accuracy(y, logits) == doctest::Approx(2.0 / 3));
  const Tensor weight = Tensor::from(std::vector<float>{1.0F, 0.0F, 3.0F}, {3, 1});
  CHECK(multiclass_log_loss(y, logits, weight) == doctest::Approx((first + 3 * last) / 4));
  CHECK(refusal<ValueError>([&] {
          multiclass_accuracy(Tensor::from(std::vector<float>{3.0F, 0.0F, 0.0F}, {3, 1}), logits);
        }) == "multiclass_accuracy: target 0 is 3; a class from 0 to 2 is expected");
  CHECK(refusal<TypeError>([&] {
          multiclass_accuracy(y, y.reshape({1, 3}));
        }) ==
        "multiclass_accuracy: y is float32 [3, 1] but the logits are float32 [1, 3]; [n, 1] and a dense [n, c] are "
        "expected");
}

TEST_CASE("r2 is 1 for what is right, 0 for the mean") {
  const Tensor y = Tensor::from(std::vector<float>{1.0F, 2.0F, 6.0F}, {3, 1});
  CHECK(r2(y, y) == 1);
  CHECK(r2(y, Tensor::from(std::vector<float>{3.0F, 3.0F, 3.0F}, {3, 1})) == doctest::Approx(0));
  CHECK(r2(y, Tensor::from(std::vector<float>{1.0F, 2.0F, 4.0F}, {3, 1})) == doctest::Approx(1 - 4.0 / 14));
  CHECK(std::isnan(
      r2(Tensor::from(std::vector<float>{2.0F, 2.0F}, {2, 1}), Tensor::from(std::vector<float>{2.0F, 3.0F}, {2, 1}))));
}

}  // namespace gradus

// Means of the blocks' own r2 and auc would be far from these: a block's targets hardly differ from each other.
TEST_CASE("rows that come in blocks are evaluated as all at once") {
  constexpr std::int64_t n = 101;
  const Tensor noise = random_normal({n, 1}, {.seed = 1}).draw(0), weight = random_uniform({n, 1}, {.seed = 2}).draw(0);
  for (const Task task : {Task::regression, Task::binary, Task::ranking})
    for (const bool weighted : {false, true}) {
      const std::int64_t rows = task == Task::ranking ? n - 1 : n;
      std::vector<float> y, estimate, w;
      for (std::int64_t i = 0; i < rows; ++i) {
        const auto rising = static_cast<float>(i) / 10;
        y.push_back(task == Task::binary
                        ? (rising + noise.span<float>()[static_cast<std::size_t>(i)] > 5 ? 1.0F : -1.0F)
                        : rising);
        estimate.push_back(rising - 5 + noise.span<float>()[static_cast<std::size_t>(n - 1 - i)]);
        w.push_back(weight.span<float>()[static_cast<std::size_t>(task == Task::ranking ? i / 2 : i)]);
      }
      const auto part = [&](const std::vector<float>& values, std::int64_t first, std::int64_t count) {
        return Tensor::from(std::span(values).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                            {count, 1});
      };
      EvaluationOfBlocks blocks(task), thinned(task, 60);
      for (std::int64_t first = 0; first < rows; first += 8) {
        const std::int64_t count = std::min<std::int64_t>(8, rows - first);
        for (EvaluationOfBlocks* to : {&blocks, &thinned})
          to->add(part(y, first, count), part(estimate, first, count), weighted ? part(w, first, count) : Tensor());
      }
      const Evaluation all =
          evaluate(task, part(y, 0, rows), part(estimate, 0, rows), weighted ? part(w, 0, rows) : Tensor());
      CHECK(blocks.evaluation().examples == all.examples);
      for (const auto& metric : all.metrics) {
        CAPTURE(metric.first);
        CHECK(blocks.evaluation().of(metric.first) == doctest::Approx(metric.second).epsilon(1e-9));
      }
      if (task == Task::binary && !weighted) {
        std::vector<float> some_y, some;
        for (std::size_t i = 0; i < y.size(); i += 2) {
          some_y.push_back(y[i]);
          some.push_back(estimate[i]);
        }
        CHECK(thinned.evaluation().of("auc") ==
              auc(part(some_y, 0, std::ssize(some)), part(some, 0, std::ssize(some))));
      }
    }
}
