#include "papers.h"

#include <fmt/core.h>

#include <cmath>
#include <utility>

namespace bench {

using namespace gradus;

namespace {

constexpr int checked_steps = 5;
constexpr double tolerance = 1e-3;

// |a - b|
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

bool same_values(benchmark::State& state, const Values& start, const Values& gradus, const Values& other) {
  for (std::size_t i = 0; i < start.size(); ++i) {
    const double moved = distance(gradus[i], start[i]);
    const double apart = other[i].size() == start[i].size() ? distance(gradus[i], other[i]) : INFINITY;
    if (moved > 0 && apart <= tolerance * moved) continue;
    state.SkipWithError(
        fmt::format("parameter {}: Gradus has moved it by {} but is {} from the loop's", i + 1, moved, apart).c_str());
    return false;
  }
  return true;
}

}  // namespace

FormulaSteps::FormulaSteps(Formula& formula, std::vector<std::vector<Tensor>> batches)
    : formula_(formula),
      session_(formula.g, Device::cpu(), {.threads = 1}),
      run_(session_.prepare(std::span(&formula.train, 1), formula.inputs)),
      batches_(std::move(batches)) {}

double FormulaSteps::step_loss() {
  const std::vector<Tensor>& batch = next();
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < batch.size(); ++i) feeds.emplace_back(formula_.inputs[i], batch[i]);
  return session_.run({formula_.loss, formula_.train}, feeds)[0].item();
}

void FormulaSteps::step() {
  const std::vector<Tensor>& batch = next();
  switch (batch.size()) {
    case 1: run_(batch[0]); break;
    case 2: run_(batch[0], batch[1]); break;
    default: run_(batch[0], batch[1], batch[2]);
  }
}

Steps FormulaSteps::steps() {
  return [this](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) step();
  };
}

Values FormulaSteps::values() {
  Values out;
  for (const Expr& parameter : formula_.parameters) out.push_back(vector_of(session_.value(parameter)));
  return out;
}

void compare_formula(benchmark::State& state, double target, FormulaSteps& gradus, const OtherSteps& other) {
  const Values start = gradus.values();
  std::size_t step = 0;
  const auto next = [&] { return step++ % gradus.batches(); };
  if (!same_way(
          state, checked_steps, [&] { return gradus.step_loss(); }, [&] { return other.step(next(), true); }))
    return;
  for (int i = 0; i < checked_steps; ++i) {
    gradus.step();
    other.step(next(), false);
  }
  if (!same_values(state, start, gradus.values(), other.values())) return;
  const Steps other_steps = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(other.step(next(), false));
  };
  // All batches first: what a batch's first use costs is not what the next ones do.
  gradus.steps()(static_cast<std::int64_t>(gradus.batches()));
  other_steps(static_cast<std::int64_t>(gradus.batches()));
  compare(state, target, gradus.steps(), other_steps);
}

}  // namespace bench
