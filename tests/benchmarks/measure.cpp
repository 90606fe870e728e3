#include "measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

namespace bench {

namespace {

double seconds(const Steps& side, std::int64_t steps) {
  const auto start = std::chrono::steady_clock::now();
  side(steps);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// How many steps fill a burst. The steps made here also warm the side up.
std::int64_t burst_steps(const Steps& side, double burst) {
  std::int64_t steps = 1;
  side(steps);  // a plan, and what compilers make of it
  while (true) {
    const double took = seconds(side, steps);
    if (took >= burst / 2)
      return std::max<std::int64_t>(1, static_cast<std::int64_t>(burst / took * static_cast<double>(steps)));
    steps *= 2;
  }
}

}  // namespace

std::vector<std::vector<double>> take_turns(const std::vector<Steps>& sides, const Effort& effort) {
  std::vector<std::int64_t> steps;
  for (const Steps& side : sides) steps.push_back(burst_steps(side, effort.burst));
  std::vector<std::vector<double>> out(sides.size());
  for (int round = 0; round < effort.rounds; ++round)
    for (std::size_t s = 0; s < sides.size(); ++s)
      out[s].push_back(seconds(sides[s], steps[s]) / static_cast<double>(steps[s]));
  return out;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double median_ratio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return median(ratios);
}

bool same_way(benchmark::State& state, int steps, const std::function<double()>& gradus,
              const std::function<double()>& loop) {
  for (int i = 0; i < steps; ++i) {
    const double ours = gradus();
    const double theirs = loop();
    if (std::abs(ours - theirs) <= 1e-3 * std::abs(ours)) continue;
    state.SkipWithError(fmt::format("step {}: Gradus' loss is {} but the loop's is {}", i + 1, ours, theirs).c_str());
    return false;
  }
  return true;
}

void compare(benchmark::State& state, double target, const Steps& gradus, const Steps& loop, const Effort& effort) {
  for (auto _ : state) {
    const auto times = take_turns({gradus, loop}, effort);
    state.SetIterationTime(median(times[0]));
    state.counters["threads"] = 1;
    state.counters["gradus_s"] = median(times[0]);
    state.counters["loop_s"] = median(times[1]);
    state.counters["ratio"] = median_ratio(times[0], times[1]);
    state.counters["target"] = target;
  }
}

void compare_threads(benchmark::State& state, const ThreadSides& sides, const Effort& effort) {
  const Steps both = [&](std::int64_t steps) {
    std::thread other([&] { sides.loop_copy(steps); });
    sides.loop(steps);
    other.join();
  };
  for (auto _ : state) {
    const auto times = take_turns({sides.gradus_two, sides.gradus_one, sides.loop, both}, effort);
    state.SetIterationTime(median(times[0]));
    state.counters["threads"] = 2;
    state.counters["gradus_s"] = median(times[0]);
    state.counters["loop_s"] = median(times[2]);
    state.counters["ratio"] = median_ratio(times[0], times[2]);
    state.counters["speedup"] = median_ratio(times[1], times[0]);
    state.counters["machine_speedup"] = 2 * median_ratio(times[2], times[3]);
  }
}

void skip(benchmark::State& state, const std::string& reason) {
  // Google Benchmark has no other way to leave a row out; the report tells the two apart by the first word.
  state.SkipWithError(("skipped: " + reason).c_str());
}

bool memory_suffices(benchmark::State& state, double gigabytes) {
  std::ifstream file("/proc/meminfo");
  std::string word;
  double kibibytes = 0;
  while (file >> word && word != "MemAvailable:") {
  }
  if (!(file >> kibibytes)) {
    skip(state, "/proc/meminfo does not say how much memory is free");
    return false;
  }
  const double free = kibibytes * 1024 / 1e9;
  if (free >= gigabytes) return true;
  skip(state, fmt::format("needs {:.0f} GB of memory, {:.1f} GB are free", gigabytes, free));
  return false;
}

}  // namespace bench
