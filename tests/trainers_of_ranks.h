// Trainers that tests run with some number of ranks, and what they have learnt in the end.
#pragma once

#include "ranks_of_threads.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace trainers_of_ranks {

using namespace gradus;

inline TrainingOptions options_of(Learner learner) {
  TrainingOptions options;
  options.task = Task::regression;
  options.optimizer = learner;
  options.factors = 4;
  options.batch = 100;
  options.epochs = 3;
  options.patience = 0;
  options.pieces = 8;
  return options;
}

struct Learnt {
  Parameters parameters;
  std::vector<double> losses;
};

inline Learnt learnt_by(Trainer& trainer) {
  Learnt out{trainer.parameters(), {trainer.evaluation().metrics.front().second}};
  for (const EpochRecord& record : trainer.history()) {
    out.losses.push_back(record.loss);
    out.losses.push_back(std::isnan(record.validation) ? -1 : record.validation);
  }
  return out;
}

/// What each rank has learnt; 0 ranks: a trainer that knows of none. `state` is gone on from, if it is named.
inline std::vector<Learnt> trained(const Rows& train, const Rows& validation, const TrainingOptions& options, int ranks,
                                   std::int64_t shard_above = std::int64_t{1} << 30, const std::string& state = "") {
  const auto run = [&](const TrainerOptions& where) {
    Trainer trainer(train, validation, {}, options, where);
    if (!state.empty()) trainer.restore(state);
    trainer.run();
    return learnt_by(trainer);
  };
  if (ranks == 0) return {run({})};
  const auto all = on_ranks<Learnt>(
      ranks, [&](const Communicator& rank) { return run({.threads = 1, .ranks = rank, .shard_above = shard_above}); });
  for (const std::string& error : all.error) REQUIRE_EQ(error, "");
  return all.result;
}

inline void check_equal(const Learnt& a, const Learnt& b, const std::string& what) {
  CAPTURE(what);
  CHECK_EQ(a.losses, b.losses);
  REQUIRE_EQ(a.parameters.size(), b.parameters.size());
  for (const auto& each : a.parameters) CHECK_EQ(each.second, b.parameters.at(each.first));
}

}  // namespace trainers_of_ranks
