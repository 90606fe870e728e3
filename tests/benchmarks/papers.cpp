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

// From where both sides started.
bool same_values(benchmark::State& state, const Values& start, FormulaSteps& gradus, const OtherSteps& other) {
  const Values ours = gradus.values(), theirs = other.values();
  for (std::size_t i = 0; i < start.size(); ++i) {
    const double moved = distance(ours[i], start[i]);
    const double apart = distance(ours[i], theirs[i]);
    if (moved > 0 && apart <= tolerance * moved) continue;
    state.SkipWithError(fmt::format("{}: Gradus has moved it by {} but the loop's is {} away",
                                    gradus.formula().parameters[i].name(), moved, apart)
                            .c_str());
    return false;
  }
  return true;
}

}  // namespace

FormulaSteps::FormulaSteps(Formula& formula, std::vector<Tensor> data)
    : formula_(formula),
      session_(formula.g, Device::cpu(), {.threads = 1}),
      run_(session_.prepare(std::span(&formula.train, 1), formula.inputs)),
      data_(std::move(data)),
      batches_(static_cast<std::size_t>(data_[0].dim(0) / formula.inputs[0].shape()[0])) {}

Tensor FormulaSteps::next(std::size_t input) const {
  if (batches_ == 1) return data_[input];
  const std::int64_t rows = formula_.inputs[input].shape()[0];
  return data_[input].row_range(static_cast<std::int64_t>(step_ % batches_) * rows, rows);
}

double FormulaSteps::step_loss() {
  std::vector<Feed> feeds;
  for (std::size_t i = 0; i < data_.size(); ++i) feeds.emplace_back(formula_.inputs[i], next(i));
  ++step_;
  return session_.run({formula_.loss, formula_.train}, feeds)[0].item();
}

void FormulaSteps::step() {
  switch (data_.size()) {
    case 1: run_(next(0)); break;
    case 2: run_(next(0), next(1)); break;
    default: run_(next(0), next(1), next(2));
  }
  ++step_;
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
  if (!same_values(state, start, gradus, other)) return;
  const Steps other_steps = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(other.step(next(), false));
  };
  // All batches first: what a batch's first use costs is not what the next ones do.
  gradus.steps()(static_cast<std::int64_t>(gradus.batches()));
  other_steps(static_cast<std::int64_t>(gradus.batches()));
  compare(state, target, gradus.steps(), other_steps);
}

Tensor labels_of(const std::vector<float>& classes, std::int64_t count) {
  Graph g;
  return Session(g).run(one_hot(g.constant(Tensor::from(classes).cast(int32)), count));
}

}  // namespace bench
