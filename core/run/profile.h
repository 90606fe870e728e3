// Where the time of a run goes: what Session::profile measures, as a table and as a trace that Chrome and Perfetto show
// (chrome://tracing, https://ui.perfetto.dev).
#pragma once

#include <gradus/core/run/steps.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

/// The time of one step of a plan; of a region, each of its ops is one, and a kernel is that of its first step.
struct StepTime {
  int id = 0;              // in Profile::plan
  double seconds = 0;      // a run, median over the runs; of threads that work at once, their sum
  std::int64_t calls = 0;  // in a run: a region computes its ops once for each tile
};

/// One call of a step, in the last run.
struct StepCall {
  std::size_t step;  // in Profile::steps
  int lane;          // 0, or in regions the piece of the rows from 1
  double start;      // seconds since the run began
  double seconds;
};

/// Of a run over ranks, a stage on this rank: pieces that are computed, or an exchange.
struct StageTime {
  std::string what;
  double seconds = 0;  // a run, median
  double waiting = 0;  // of these, in exchanges: for others, and for what they send
  std::int64_t bytes_sent = 0;
};

struct Profile {
  int runs = 0;
  double seconds = 0;  // a run, median; the clocks are read in it
  PlanSteps plan;
  std::vector<StepTime> steps;  // in the order of work
  std::vector<StepCall> calls;
  std::vector<StageTime> stages;  // in their order, of a run over ranks, whose plans are not timed step by step

  /// Writes the calls as a Chrome trace (JSON). Throws IoError where that fails; the file is replaced only when
  /// complete.
  void write_trace(const std::string& path) const;
};

/// A table: the steps by their time, the longest first; of a run over ranks, its stages.
std::string to_string(const Profile& profile);

}  // namespace gradus
