// Trainings that are ended before they are done, and gone on with.
#pragma once

#include "run_program.h"

#include <gradus/core/io/safetensors.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace gradus {

inline std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// Trains the model m twice without a stop; then again and again, with --resume where there is a state, sent one of the
/// signals in turn at a random moment, until so many runs have not come to their end, and once without. Checks that
/// what it leaves is the model of the first to the bit, and that no state is torn.
inline void check_interrupted(const Folder& folder, const std::vector<std::string>& training, int times,
                              const std::vector<int>& signals) {
  std::string model;
  auto all = std::chrono::steady_clock::duration::max();  // the faster of both: a disk may be busy
  for (int i = 0; i < 2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(run_fm(folder, training).code == 0);
    all = std::min(all, std::chrono::steady_clock::now() - start);
    if (i > 0) CHECK(text_of(folder / "m") == model);
    model = text_of(folder / "m");
  }
  CHECK(::access((folder / "m.checkpoint").c_str(), F_OK) != 0);  // it has done its work
  std::filesystem::remove(folder / "m");

  std::mt19937 random(1);
  std::uniform_real_distribution<double> moment(0, 0.6);  // of the time that a whole training takes
  const auto next = [&] {
    return ::access((folder / "m.checkpoint").c_str(), F_OK) == 0 ? with(training, {"--resume"}) : training;
  };
  int stops = 0;
  for (std::size_t runs = 0; stops < times && runs < 400; ++runs) {
    Running program(folder, next());
    std::this_thread::sleep_for(all * moment(random));
    const int signal = signals[runs % signals.size()];
    program.send(signal);
    const Finished done = program.wait();
    const bool stopped = done.signal == signal || done.err.find("fm: interrupted ") != std::string::npos;
    CHECK_MESSAGE((stopped || done.code == 0), done.err);
    if (stopped) ++stops;
    if (::access((folder / "m.checkpoint").c_str(), F_OK) == 0)
      CHECK_NOTHROW(load_safetensors(folder / "m.checkpoint"));
    if (::access((folder / "m").c_str(), F_OK) != 0) continue;
    CHECK(text_of(folder / "m") == model);
    if (!stopped) std::filesystem::remove(folder / "m");  // else it was between its last two lines
  }
  CHECK(stops >= times);
  CHECK(run_fm(folder, next()).code == 0);
  CHECK(text_of(folder / "m") == model);
}

}  // namespace gradus
