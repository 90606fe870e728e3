// An iteration of Gibbs sampling, e and the predictions anew among its work, beside the order of libFM: on
// MovieLens-100k, and on 900,000 synthetic rows in the shape of MovieLens-1M. 20 factors.
#include "data.h"
#include "loops_sampler.h"
#include "measure.h"

#include <gradus/core/run/session.h>
#include <gradus/models/training/sampler.h>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

namespace bench {

using namespace gradus;

namespace {

constexpr int k = 20;

// 6,040 users and 3,706 items, some much more often than others; a pair may come twice.
DataSet one_million() {
  constexpr std::int64_t users = 6040, items = 3706, rows = 900'000;
  DataSet out;
  out.features = users + items;
  out.origin = "synthetic, 900,000 ratings of 3,706 items by 6,040 users";
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  for (std::int64_t n = 0; n < rows; ++n) {
    const auto by = [&](std::int64_t count) {
      const double u = static_cast<double>(random() >> 11) * 0x1p-53;
      return scattered(static_cast<std::int64_t>(u * u * static_cast<double>(count)), count);
    };
    const std::int64_t user = by(users), item = by(items);
    out.x.column.insert(out.x.column.end(), {static_cast<std::int32_t>(user), static_cast<std::int32_t>(users + item)});
    out.x.value.insert(out.x.value.end(), {1, 1});
    out.x.row_start.push_back(std::ssize(out.x.column));
    out.y.push_back(std::sin(static_cast<float>(user)) * std::cos(static_cast<float>(item)) + normal(random));
  }
  return out;
}

// The features that come first in their rows, and the others.
std::vector<Index> groups_of(const DataSet& data) {
  std::vector<Index> out(static_cast<std::size_t>(data.features), 1);
  for (std::size_t at = 0; at < data.x.column.size(); at += 2) out[static_cast<std::size_t>(data.x.column[at])] = 0;
  return out;
}

// Both sides learn targets of mean 0 and deviation 1.
std::vector<float> standardised(std::vector<float> y) {
  double sum = 0, squares = 0;
  for (const float each : y) sum += static_cast<double>(each);
  const double mean = sum / static_cast<double>(y.size());
  for (const float each : y) squares += std::pow(static_cast<double>(each) - mean, 2);
  for (float& each : y)
    each = static_cast<float>((static_cast<double>(each) - mean) / std::sqrt(squares / static_cast<double>(y.size())));
  return y;
}

struct Sampling {
  Sampling(const DataSet& data, const std::vector<float>& y, int threads)
      : model(make_model(graph, data.features, options)), session(graph, Device::cpu(), {.threads = threads}) {
    const Rows rows{x_rows(data, 0, data.rows()), Tensor::from(y, {data.rows(), 1})};
    sampler = std::make_unique<Sampler>(session, model, options, rows,
                                        SamplerOptions{.group = groups_of(data), .seed = 1, .threads = threads});
  }
  double iterate() { return sampler->iterate(iteration++); }
  Steps steps() {
    return [this](std::int64_t count) {
      for (; count > 0; --count) benchmark::DoNotOptimize(iterate());
    };
  }

  Graph graph;
  ModelOptions options{.factors = k, .init_stddev = 0.1, .seed = 1};
  Model model;
  Session session;
  std::unique_ptr<Sampler> sampler;
  std::int64_t iteration = 0;
};

Steps steps_of(loops::FactorByFactor& loop) {
  return [&loop](std::int64_t count) {
    for (; count > 0; --count) benchmark::DoNotOptimize(loop.iterate());
  };
}

void iteration(benchmark::State& state, const DataSet& data, int threads) {
  state.SetLabel(data.origin);
  const std::vector<float> y = standardised(data.y);
  Sampling one(data, y, 1);
  loops::FactorByFactor loop(data.x, y, groups_of(data), k, 1);
  // Draws differ, but not how well they fit after a while.
  double ours = 0, theirs = 0;
  for (int i = 0; i < 15; ++i) {
    ours = one.iterate();
    theirs = loop.iterate();
  }
  if (std::abs(ours - theirs) > 0.03 * theirs)
    return state.SkipWithError(fmt::format("the mean of e^2 is {} but the loop's is {}", ours, theirs).c_str());
  if (threads == 1) return compare(state, 1 / 3., one.steps(), steps_of(loop));
  Sampling two(data, y, threads);
  loops::FactorByFactor copy = loop;
  compare_threads(state, {two.steps(), one.steps(), steps_of(loop), steps_of(copy)});
}

}  // namespace

void add_sampler_rows() {
  const auto add = [](const char* name, auto data, int threads) {
    benchmark::RegisterBenchmark(name, [data, threads](benchmark::State& state) { iteration(state, data(), threads); })
        ->Iterations(1)
        ->UseManualTime();
  };
  add("mcmc movielens", movielens, 1);
  add("mcmc movielens/threads:2", movielens, 2);
  add("mcmc 1M", one_million, 1);
  add("mcmc 1M/threads:2", one_million, 2);
}

}  // namespace bench
