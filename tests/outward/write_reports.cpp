// Writes pages for browse.sh to open: a regression and a binary task of a few seconds' training, and the odd ones: a
// page of nothing, of one epoch, of thousands, with names that would break a page that does not escape them.
#include "write.h"

#include <fm/report.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace gradus {

namespace {

std::vector<double> numbers(const Tensor& tensor) {
  const Tensor dense = tensor.to_dense();
  return {dense.begin(), dense.end()};
}

Tensor drawn(const Shape& shape, std::uint64_t seed) {
  return Initializer(random_normal(shape, {.seed = seed})).value("drawn");
}

// A factorization machine that learns what one with other numbers says.
void write_trained(const std::string& path, Task task) {
  constexpr std::int64_t p = 12, rows = 3000;
  Graph g;
  const Expr X = g.placeholder("X", {any, p});
  const Expr y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 4, .init_stddev = 0.05, .seed = 3, .task = task});
  fm.y_hat.named("y_hat");
  const Expr train = Adam(0.01).minimize(fm.loss);
  Session session(g);

  Session truth(g);
  truth.assign(fm.W, drawn({p}, 1));
  truth.assign(fm.V, drawn({p, 4}, 2));
  const auto told = [&](const Tensor& x, std::uint64_t seed) {
    const std::vector<double> exact = numbers(truth.run(fm.y_hat, {{X, x}}));
    const std::vector<double> noise = numbers(drawn({x.dim(0), 1}, seed));
    std::vector<float> out;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double value = exact[i] + 2 * noise[i];
      out.push_back(static_cast<float>(task == Task::regression ? value : value > 0 ? 1 : -1));
    }
    return Tensor::from(out, {x.dim(0), 1});
  };
  const Tensor x = drawn({rows, p}, 4), held = drawn({1500, p}, 5);
  const Tensor t = told(x, 6), held_t = told(held, 7);

  fm::Report report;
  double best = INFINITY;
  for (int epoch = 1; epoch <= 120; ++epoch) {
    for (int step = 0; step < 4; ++step) session.run(train, {{X, x}, {y, t}});
    const double loss = session.run(fm.error, {{X, x}, {y, t}}).item();
    const double error = session.run(fm.error, {{X, held}, {y, held_t}}).item();
    const double metric = task == Task::regression ? std::sqrt(error) : error;
    report.epochs.push_back({epoch, loss, metric});
    if (metric < best) {
      best = metric;
      report.best_epoch = epoch;
    }
  }
  const bool binary = task == Task::binary;
  report.title = binary ? "clicks.csv" : "sales.csv";
  report.subtitle =
      "Factorization machine of order 2, 4 factors, " + std::string(binary ? "binary classification" : "regression");
  report.metric_name = binary ? "validation log loss" : "validation RMSE";
  report.loss_name = binary ? "training log loss" : "training MSE";
  report.results = {{report.metric_name, best},
                    {"best epoch", *report.best_epoch},
                    {"examples per second", 2.41e6},
                    {"seconds", 12.4}};
  report.data = {{"rows", rows + 1500}, {"features", p}, {"non-zeros", 54000}, {"file", report.title}};
  report.model = {{"kind", "factorization machine"}, {"factors", 4}, {"parameters", 1 + p + 4 * p}};
  report.options = {{"--factors", 4},      {"--optimizer", "adam"}, {"--rate", 0.01},    {"--epochs", 120},
                    {"--batch", 1024},     {"--l2-w", 0.0},         {"--l2-v", 1e-5},    {"--valid-fraction", 0.1},
                    {"--seed", 3},         {"--threads", 2},        {"--device", "cpu"}, {"--normalize", false},
                    {"--early-stop", true}};
  report.command = fmt::format("fm train {} --factors 4 --optimizer adam --rate 0.01 --report run.html", report.title);
  report.task = task;
  report.predicted_rows = "1,500 validation rows";
  report.targets = numbers(held_t);
  report.predictions = numbers(session.run(fm.prediction, {{X, held}}));
  const std::vector<double> W = numbers(session.value(fm.W));
  for (std::size_t i = 0; i < W.size(); ++i) report.features.push_back({fmt::format("column {}", i), W[i]});
  report.feature_note = "weight w";
  report.prediction = fm.prediction;
  fm::write_report(path, report);
}

fm::Report stars() {
  fm::Report report;
  report.title = "u.data";
  report.subtitle = "A hundred thousand ratings, thousands of epochs";
  report.metric_name = "validation RMSE";
  for (int epoch = 1; epoch <= 5000; ++epoch)
    report.epochs.push_back(
        {epoch, 900.0 / epoch + 0.7 + 0.02 * std::sin(epoch * 1.7), 0.93 + 0.3 / epoch + 1e-9 * epoch * epoch});
  report.best_epoch = 530;
  const std::vector<double> noise = numbers(drawn({20000}, 8)), taste = numbers(drawn({20000}, 9));
  for (std::size_t i = 0; i < noise.size(); ++i) {
    const double mean = 3.5 + 0.6 * taste[i];
    report.predictions.push_back(mean);
    report.targets.push_back(std::clamp(std::round(mean + 0.9 * noise[i]), 1.0, 5.0));
  }
  report.features = {{"user=13 <b>&\"quoted\"</b>", 1.25},
                     {"not utf-8: \xff\xfe", -0.75},
                     {"</title><script>console.error('escaped?')</script>", 0.5},
                     {"a name of a feature that is far too long to be shown beside its bar as a whole", -0.25},
                     {"日本語", 0.125},
                     {"not finite", std::nan("")}};
  return report;
}

fm::Report one_epoch() {
  fm::Report report;
  report.title = "One epoch & one row";
  report.epochs = {{1, 0.25}};
  report.metric_name = "validation RMSE";
  report.best_epoch = 1;
  report.targets = {3};
  report.predictions = {3};
  report.features = {{"only", -2}};
  report.results = {{"test RMSE", 0.0}};
  return report;
}

}  // namespace

void write_reports(const std::string& folder) {
  const auto write = [&](const char* name, const fm::Report& report) {
    fm::write_report(fmt::format("{}/{}.html", folder, name), report);
  };
  write_trained(folder + "/regression.html", Task::regression);
  write_trained(folder + "/binary.html", Task::binary);
  write("stars", stars());
  write("one", one_epoch());
  write("nothing", fm::Report());
}

}  // namespace gradus
