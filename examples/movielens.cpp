// The article's second experiment: a factorization machine learns who rates which movie how, from MovieLens-100k (or,
// without the data, from a planted set of the same shape). Full-batch Adam on the mean squared error, no L2; then the
// errors on the training and on the test set. --dense writes the model as the article does, over a dense X.
#include "progress.h"

#include <gradus/gradus.h>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace gradus;

namespace {

struct Options {
  std::string folder;
  bool dense = false;
  std::int64_t factors = 20;
  double rate = 0.01;
  int iterations = 100;
  std::uint64_t seed = 1;
  int threads = 0;
  std::string device = "cpu";
};

struct Data {
  Rows train, test;
  std::int64_t users = SyntheticRatings::users, items = SyntheticRatings::items;
  std::int64_t unseen = 0;  // users and items of ratings to test with that training has not
};

/// Of a folder without a split, as ml-1m, ml-10M100K and ml-25m: a random tenth of the ratings is to test with.
Data read_all_ratings(const Options& options) {
  const ReadRows all = read_rows(options.folder, {.format = Format::movielens});
  const std::vector<TableColumn>& columns = all.columns.table->columns();  // user, item, rating, timestamp
  const auto [train, test] = all.split(0.1, options.seed);
  fmt::print("MovieLens in {}, a tenth of it held out\n", options.folder);
  Data data{train, test, std::ssize(columns[0].categories), std::ssize(columns[1].categories)};
  std::vector<bool> seen(static_cast<std::size_t>(all.x.dim(1)));
  for (const Index column : data.train.x.pattern()->column) seen[static_cast<std::size_t>(column)] = true;
  data.unseen = std::count(seen.begin(), seen.end(), false);
  return data;
}

Data read_data(const Options& options) {
  if (options.folder.empty()) {
    fmt::print(
        "No folder given: these are synthetic ratings in the shape of MovieLens-100k, from a planted model.\n"
        "The real ones: https://grouplens.org/datasets/movielens/100k/ (unzip, then name the folder ml-100k).\n");
    SyntheticRatings ratings = synthetic_ratings();
    return {std::move(ratings.train), std::move(ratings.test)};
  }
  if (!std::filesystem::exists(options.folder + "/ua.base")) return read_all_ratings(options);
  const ReadRows train = read_rows(options.folder + "/ua.base", {.format = Format::movielens});
  const ReadRows test = read_rows(options.folder + "/ua.test", {.format = Format::movielens, .columns = train.columns});
  const std::vector<TableColumn>& columns = train.columns.table->columns();  // user, item, rating, timestamp
  fmt::print("MovieLens-100k in {}\n", options.folder);
  return {train, test, std::ssize(columns[0].categories), std::ssize(columns[1].categories),
          test.unseen[0] + test.unseen[1]};
}

/// The article's formulation, for a dense X: V is [k, p]. It starts from the same numbers as FactorizationMachine.
Expr dense_y_hat(const Expr& X, const Options& options) {
  Graph& g = X.graph();
  const std::int64_t p = X.shape()[1], k = options.factors;
  const Tensor start = Initializer(random_normal({p, k}, {.stddev = 0.01, .seed = options.seed})).value("V");  // [p, k]
  const Expr w0 = g.variable("w0", zeros({1}));                                                                // [1]
  const Expr W = g.variable("W", zeros({p}));                                                                  // [p]
  const Expr V = g.variable("V", Session(g).run(transpose(g.constant(start))));                                // [k, p]

  const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);  // [n, 1]
  const Expr interactions = 0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))),
                                             1, keep_dims);  // [n, 1]
  return linear_terms + interactions;                        // [n, 1]
}

void train_and_report(const Options& options) {
  const Device device = Device::named(options.device);
  fmt::print("Device: {}\n", device.name());
  Data data = read_data(options);
  const std::int64_t p = data.train.x.dim(1);
  fmt::print("  train {} x {}: {} users, {} items\n", data.train.x.dim(0), p, data.users, data.items);
  fmt::print("  test  {} x {}: {} of these users and items were never seen in training\n", data.test.size(), p,
             data.unseen);
  if (options.dense) {
    data.train.x = data.train.x.to_dense();  // [n, p]
    data.test.x = data.test.x.to_dense();    // [m, p]
  }
  fmt::print("Factorization machine: {}, {} factors, Adam {}, {} iterations, seed {}\n",
             options.dense ? "dense" : "csr", options.factors, options.rate, options.iterations, options.seed);

  Graph g;
  const Expr X = options.dense ? g.placeholder("X", {any, p}) : g.sparse_placeholder("X", {any, p});  // [n, p]
  const Expr y = g.placeholder("y", {any, 1});                                                        // [n, 1]
  const Expr y_hat =
      options.dense ? dense_y_hat(X, options)
                    : FactorizationMachine(X, y, {.factors = options.factors, .seed = options.seed}).y_hat;  // [n, 1]
  const Expr loss = reduce_mean(square(y - y_hat));                                                          // []
  const Expr train = Adam(options.rate).minimize(loss);

  Session session(g, device, {.threads = options.threads});
  double ms = 0;  // an iteration
  {
    Progress progress("training", options.iterations);
    std::chrono::steady_clock::time_point start;
    for (int i = 0; i < options.iterations; ++i) {
      session.run(train, {{X, data.train.x}, {y, data.train.y}});
      // The first makes the plan as well.
      if (i == 0) start = std::chrono::steady_clock::now();
      progress.step();
    }
    session.value(g.variables().front());  // a device may still be at work
    ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() /
         std::max(1, options.iterations - 1);
  }

  const Tensor train_hat = session.run(y_hat, {{X, data.train.x}});  // [n, 1]
  const Tensor test_hat = session.run(y_hat, {{X, data.test.x}});    // [m, 1]
  fmt::print("           MSE    RMSE\n");
  fmt::print("  train {:.4f}  {:.4f}\n", mse(data.train.y, train_hat), rmse(data.train.y, train_hat));
  fmt::print("  test  {:.4f}  {:.4f}\n", mse(data.test.y, test_hat), rmse(data.test.y, test_hat));
  if (options.iterations > 1) fmt::print("{:.3g} ms an iteration\n", ms);
}

/// What CLI11 says of a text that is no learning rate; nothing if it is one.
std::string above_zero(const std::string& text) {
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool right = error == std::errc() && rest == text.data() + text.size() && value > 0 && std::isfinite(value);
  return right ? "" : text + " is not a number above 0";
}

/// The same of a text that names no device; one that is not there, the run tells.
std::string known_device(const std::string& text) {
  try {
    (void)Device::named(text);
  } catch (const ValueError& error) {
    return error.what();
  } catch (const DeviceError&) {
    return "";
  }
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Learns the ratings of MovieLens-100k with a factorization machine.", "movielens");
  app.add_option("folder", options.folder,
                 "ml-100k, where ua.base and ua.test are, ml-1m, ml-10M100K or ml-25m; synthetic ratings without it");
  app.add_flag("--dense", options.dense, "The article's formulation over a dense X: 5 GB, and slow");
  app.add_option("--factors", options.factors, "k, the numbers per feature")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  app.add_option("--rate", options.rate, "Adam's learning rate")->capture_default_str()->check(above_zero);
  app.add_option("--iterations", options.iterations, "Steps over all ratings")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_option("--seed", options.seed, "Of the factors' initial values")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--threads", options.threads, "0: all cores; the result is the same")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.add_option("--device", options.device, "cpu, cuda or cuda:1")->capture_default_str()->check(known_device);
  app.footer(
      "Examples:\n"
      "  movielens                            synthetic ratings\n"
      "  movielens ml-100k                    the article's experiment\n"
      "  movielens ml-100k --factors 8 --rate 0.02 --seed 7\n"
      "  movielens ml-100k --dense --iterations 10");
  try {
    app.parse(argc, argv);
    train_and_report(options);
    if (std::fflush(stdout) != 0) fail<IoError>("standard output: cannot be written");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "movielens: {} (see movielens --help)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "movielens: {}\n", error.what());
    return 1;
  }
}
