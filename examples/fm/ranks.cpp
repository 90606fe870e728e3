#include "ranks.h"

#include "say.h"

#include <gradus/core/error.h>

#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>

namespace fm {

using namespace gradus;

namespace {

std::optional<Communicator> joined;

}  // namespace

void join_ranks(const std::string& command, TrainCommand& train) {
  if (!Communicator::is_launched()) return;
  if (command != "train") fail<Error>("mpirun is for fm train; fm {} runs alone", command);
  joined.emplace(Communicator::mpi({.limit = std::chrono::seconds(train.rank_timeout)}));
  train.common.ranks = joined;
  if (train.common.writes()) return;
  if (std::freopen("/dev/null", "w", stdout) == nullptr) fail<Error>("rank {} has no /dev/null", joined->rank());
  train.quiet = true;
  train.report.clear();
  train.walkthrough.clear();
  train.log.clear();
  train.tensorboard.clear();
  train.save_config.clear();
}

void leave_ranks(TrainCommand& train) {
  train.common.ranks.reset();
  joined.reset();
}

void end_ranks(const std::string& error) {
  if (!joined) return;
  std::fflush(stdout);
  joined->fail(error);
  // What ends all is told once, by the first rank that hears of it; another's own message is wanted where none does.
  constexpr std::chrono::seconds for_the_first{3};
  if (joined->rank() > 0) std::this_thread::sleep_for(for_the_first);
  say(stderr, "fm: {}{}\n", joined->rank() > 0 ? fmt::format("rank {}: ", joined->rank()) : "", error);
  joined->abort("");
}

}  // namespace fm
