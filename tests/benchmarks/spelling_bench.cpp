// Formulas in two spellings (tests/spellings.h), a training step each. A ratio is the slower side's time to the faster
// one's.
#include "../spellings.h"
#include "measure.h"

#include <fmt/core.h>

#include <algorithm>

namespace bench {

using namespace gradus;

namespace {

class Side {
 public:
  explicit Side(const Writing& writing) : step_({}) { writing(step_); }

  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) session_.run(step_.train, step_.feeds);
    };
  }
  PlanBytes bytes() { return plan_bytes(step_); }

 private:
  SpelledStep step_;
  Session session_{step_.g, Device::cpu(), {.threads = 1}};
};

std::string text(const PlanBytes& bytes) { return fmt::format("{} bytes + {} a row", bytes.arena, bytes.row_columns); }

void both_spellings(benchmark::State& state, const Spelling& spelling) {
  Side usual(spelling.usual), other(spelling.other);
  state.SetLabel(fmt::format("{}: {}; loop: {}: {}", spelling.usual_text, text(usual.bytes()), spelling.other_text,
                             text(other.bytes())));
  for (auto _ : state) {
    const auto times = take_turns({usual.steps(), other.steps()});
    const double ratio = median_ratio(times[0], times[1]);
    state.SetIterationTime(median(times[0]));
    state.counters["threads"] = 1;
    state.counters["gradus_s"] = median(times[0]);
    state.counters["loop_s"] = median(times[1]);
    state.counters["ratio"] = std::max(ratio, 1 / ratio);
    state.counters["target"] = spelling.target;
  }
}

}  // namespace

void add_spelling_rows() {
  for (const Spelling& spelling : spellings())
    benchmark::RegisterBenchmark(("spelling " + spelling.name).c_str(), both_spellings, spelling)
        ->Iterations(1)
        ->UseManualTime();
}

}  // namespace bench
