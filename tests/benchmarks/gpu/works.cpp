#include "works.h"

#include "../article.h"
#include "../batches.h"
#include "../data.h"

#include <gradus/core/error.h>
#include <gradus/gradus.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace bench {

using namespace gradus;

namespace {

constexpr double number = 4;  // bytes of a float32, and of a column's index

// What explain says of launches, at the end of its first line.
std::string launches(const std::string& explained) {
  const std::string first = explained.substr(0, explained.find('\n'));
  const std::size_t last = first.rfind("; ");
  return last == std::string::npos ? "" : first.substr(last + 2);
}

// A device that computes something else is not worth timing.
void require_losses(const std::function<double()>& on_device, const std::function<double()>& on_cpu) {
  for (int step = 0; step < 3; ++step) {
    const double got = on_device(), want = on_cpu();
    if (!(std::abs(got - want) <= 1e-3 * std::abs(want)))
      fail<ValueError>("step {}: the loss is {} but on the CPU {}", step + 1, got, want);
  }
}

void require_losses(const Device& device, Article&& article, const Tensor& x, const Tensor& y) {
  ArticleTraining here(article, x, y, Device::cpu(), 0), there(article, x, y, device, 0);
  require_losses([&] { return there.step_loss(); }, [&] { return here.step_loss(); });
}

void time_article(Row& row, const Device& device, const Effort& effort, Article&& article, const Tensor& x,
                  const Tensor& y) {
  const WatchedDevice watched(device);
  ArticleTraining training(article, x, y, watched.device(), 0);
  row.examples = x.dim(0);
  row.time = time_steps(training.steps(), watched.stream(), effort);
  row.step = launches(training.session.explain(article.train, {{article.X, x}, {article.y, y}}));
}

Row toy(const Device& device, const Machine& machine, const Sizes&, const Effort& effort) {
  const auto [x, y] = rendle2010();
  const auto article = [&, p = x.shape()] { return Article(false, p, 5, 0.001, Adagrad(0.1)); };
  Row row{.work = "toy", .data = "7 x 16, k = 5, Adagrad", .target = 15e-6};
  row.floor = machine.replay;
  row.floor_of = "one recording of one kernel, replayed";
  require_losses(device, article(), x, y);
  time_article(row, device, effort, article(), x, y);
  return row;
}

constexpr std::int64_t movielens_factors = 20;
constexpr std::int64_t checked_rows = 1024;  // of which the device's losses are compared with the CPU's

std::int64_t movielens_rows(const Sizes& sizes) {
  const std::int64_t all = movielens().rows();
  return sizes.examples > 0 ? std::min(sizes.examples, all) : all;
}

Row movielens_csr(const Device& device, const Machine& machine, const Sizes& sizes, const Effort& effort) {
  const DataSet& data = movielens();
  const std::int64_t n = movielens_rows(sizes), few = std::min(n, checked_rows), k = movielens_factors;
  const auto article = [&](std::int64_t rows) { return Article(true, {rows, data.features}, k, 0, Adam(0.01)); };
  const Tensor x = x_rows(data, 0, n), y = y_rows(data, 0, n);
  Row row{.work = "movielens csr",
          .data = fmt::format("{}, {} x {}, k = {}, Adam", data.origin, n, data.features, k),
          .target = 150e-6};
  const auto non_zeros = static_cast<double>(x.stored()), rows = static_cast<double>(n);
  const double table = static_cast<double>(data.features) * (k + 1);
  row.bytes = number * (2 * non_zeros + 3 * rows + 2 * rows * k + 6 * table);
  row.floor = machine.replay + row.bytes / machine.copy;
  row.floor_of =
      "one launch, and: columns by row and by column, y, errors and X V written and read, V, W and their slots read "
      "and "
      "written";
  require_losses(device, article(few), x_rows(data, 0, few), y_rows(data, 0, few));
  time_article(row, device, effort, article(n), x, y);
  return row;
}

Row movielens_dense(const Device& device, const Machine& machine, const Sizes& sizes, const Effort& effort) {
  const DataSet& data = movielens();
  const std::int64_t n = movielens_rows(sizes), few = std::min(n, checked_rows), k = movielens_factors;
  const auto article = [&](std::int64_t rows) { return Article(false, {rows, data.features}, k, 0, Adam(0.01)); };
  Row row{.work = "movielens dense",
          .data = fmt::format("{}, {} x {}, k = {}, Adam", data.origin, n, data.features, k)};
  row.bytes = 2 * number * static_cast<double>(n) * static_cast<double>(data.features);
  row.floor = row.bytes / machine.read;
  row.floor_of = "X read forward and X read backward";
  row.target = 1.5 * row.floor;
  require_losses(device, article(few), x_rows(data, 0, few).to_dense(), y_rows(data, 0, few));
  time_article(row, device, effort, article(n), x_rows(data, 0, n).to_dense(), y_rows(data, 0, n));
  return row;
}

constexpr std::int64_t criteo_factors = 16;
constexpr std::int64_t criteo_batches = 4;  // with their targets 8 tensors: a session keeps the last 16 fed

// Binary targets, Adagrad 0.1. `resident`: the same few batches in turn, which lie on the device; else each is gathered
// by a thread of its own and uploaded.
Row criteo(const Device& device, const Machine& machine, const Sizes& sizes, const Effort& effort, bool resident) {
  const std::int64_t batch = sizes.examples > 0 ? sizes.examples : 65536, k = criteo_factors;
  constexpr std::int64_t fields = 39;
  const DataSet data = zipf({.rows = criteo_batches * batch, .fields = fields, .features = sizes.features});
  const Rows tensors = tensors_of(data);
  TrainingOptions options{.factors = k, .batch = batch, .ready = true, .task = Task::binary, .threads = 0};
  double touched = 0;
  {
    Training on_cpu(tensors, options), on_device(tensors, options, device);
    require_losses([&] { return on_device.step_loss(); }, [&] { return on_cpu.step_loss(); });
    for (const Batch& b : on_cpu.ready())
      touched += static_cast<double>(b.x.pattern()->active_columns()->count()) / criteo_batches;
  }
  const auto rows = static_cast<double>(batch), non_zeros = rows * fields;
  Row row{.work = resident ? "criteo" : "criteo, fed",
          .data = fmt::format("synthetic, {} x {}, {} a row, {:.0f} features a batch, k = {}, Adagrad", batch,
                              sizes.features, fields, touched, k)};
  row.bytes = number * (2 * non_zeros + 3 * rows + 2 * rows * k + 4 * touched * (k + 1));
  row.floor = row.bytes / machine.copy;
  row.floor_of =
      "columns by row and by column, y, errors and X V written and read, the touched rows of V, W and their slots read "
      "and written";
  if (!resident) {
    row.floor = std::max(row.floor, (number * (non_zeros + rows) + 8 * rows) / machine.upload);
    row.floor_of = "uploading columns, row starts and y; or where that takes longer: " + row.floor_of;
  }
  const WatchedDevice watched(device);
  options.ready = resident;
  options.shuffle = options.background = !resident;
  Training training(tensors, options, watched.device());
  row.examples = batch;
  row.time = time_steps(training.steps(), watched.stream(), effort);
  row.step = launches(training.explain());
  return row;
}

}  // namespace

std::vector<Work> all_works() {
  return {{"toy", toy},
          {"movielens csr", movielens_csr},
          {"movielens dense", movielens_dense},
          {"criteo", [](const Device& device, const Machine& machine, const Sizes& sizes,
                        const Effort& effort) { return criteo(device, machine, sizes, effort, true); }},
          {"criteo, fed", [](const Device& device, const Machine& machine, const Sizes& sizes, const Effort& effort) {
             return criteo(device, machine, sizes, effort, false);
           }}};
}

}  // namespace bench
