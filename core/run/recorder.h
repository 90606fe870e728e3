// What a profile makes a plan note down: when each step began and ended. Internal to core.
#pragma once

#include <array>
#include <chrono>
#include <vector>

namespace gradus {

struct Recorder {
  using Clock = std::chrono::steady_clock;
  struct Event {
    int node;
    Clock::time_point begin, end;
  };
  /// Lane 0 is the plan's; the others are the pieces of regions, each written by one thread at a time.
  static constexpr int most_lanes = 9;

  Clock::time_point start = Clock::now();
  std::array<std::vector<Event>, most_lanes> lanes;

  /// Calls f(), timed where there is a recorder.
  template <class F>
  static void time(Recorder* recorder, int node, int lane, F&& f) {
    if (recorder == nullptr) return f();
    const Clock::time_point begin = Clock::now();
    f();
    recorder->lanes[static_cast<std::size_t>(lane)].push_back({node, begin, Clock::now()});
  }
};

}  // namespace gradus
