// How a piece of work is timed on two sides: Gradus, and the same as a hand-written loop. The sides take turns, a burst
// of steps each, round after round, so that both meet the same machine; a ratio is the median of the rounds' ratios.
// The results go into Google Benchmark's counters, from which the report makes its table and ratios.json.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// Makes so many steps.
using Steps = std::function<void(std::int64_t)>;

struct Effort {
  int rounds = 15;
  double burst = 0.03;  // seconds of a side's turn, at least one step
};

/// Seconds a step, by side and round.
std::vector<std::vector<double>> take_turns(const std::vector<Steps>& sides, const Effort& effort = {});

double median(std::vector<double> values);
/// The median of a[i] / b[i].
double median_ratio(const std::vector<double>& a, const std::vector<double>& b);

/// Both sides' losses over some steps must agree to 1e-3, or the comparison means nothing: returns false then, and
/// marks the row as an error.
bool same_way(benchmark::State& state, int steps, const std::function<double()>& gradus,
              const std::function<double()>& loop);

/// Gradus beside the loop, on one thread each.
void compare(benchmark::State& state, double target, const Steps& gradus, const Steps& loop, const Effort& effort = {});

/// Gradus with two threads and with one beside the loop; and two independent copies of the loop on two threads, whose
/// gain over one is what the machine has to give.
struct ThreadSides {
  Steps gradus_two, gradus_one, loop, loop_copy;
};
void compare_threads(benchmark::State& state, const ThreadSides& sides, const Effort& effort = {});

/// Leaves a row out, with the reason.
void skip(benchmark::State& state, const std::string& reason);
/// Whether so much memory is free; if not, leaves the row out.
bool memory_suffices(benchmark::State& state, double gigabytes);

// Each file of rows adds its own.
void add_fm_rows();
void add_batch_rows();
void add_mlp_rows();
void add_cost_rows();
void add_scaling_rows();
void add_narrow_rows();
void add_paper_factor_rows();
void add_paper_field_rows();
void add_paper_text_rows();
void add_paper_dense_rows();
void add_one_hot_rows();
void add_shape_rows();
void add_spelling_rows();
void add_sampler_rows();

}  // namespace bench
