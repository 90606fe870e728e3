// Trainings by ranks: the same parameters for any number of them, stopped after the same batch, and gone on with by
// others. tests/cluster does it with processes.
#include "data_folder.h"
#include "folder.h"
#include "ratings.h"
#include "thorough.h"
#include "trainers_of_ranks.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

using namespace gradus;
using namespace trainers_of_ranks;

TEST_CASE("ranks learn the same parameters, however many they are") {
  const Rows train = ratings(730), validation = ratings(90);
  for (const Learner learner : {Learner::adam, Learner::adagrad, Learner::ftrl}) {
    const TrainingOptions options = options_of(learner);
    const Learnt alone = trained(train, validation, options, 0).front();
    for (const int ranks : {1, 2, 4, 7})
      for (const Learnt& each : trained(train, validation, options, ranks))
        check_equal(alone, each, fmt::format("{}, {} ranks", to_string(learner), ranks));
  }
  // With one piece it is what it is without ranks; and not with 8.
  TrainingOptions plain = options_of(Learner::adam), one = plain;
  plain.pieces.reset();
  one.pieces = 1;
  check_equal(trained(train, validation, plain, 0).front(), trained(train, validation, one, 1).front(), "one piece");
  CHECK_NE(trained(train, validation, plain, 0).front().parameters.at("V"),
           trained(train, validation, options_of(Learner::adam), 1).front().parameters.at("V"));
}

TEST_CASE("ranks stop after the same batch, and others go on to the same parameters") {
  const Rows train = ratings(900), validation = ratings(90);
  const TrainingOptions options = options_of(Learner::adam);
  const Learnt whole = trained(train, validation, options, 4).front();
  const Folder folder;
  const std::string state = folder / "state";
  const auto stopped = on_ranks<std::int64_t>(4, [&](const Communicator& rank) {
    Trainer trainer(train, validation, {}, options, {.threads = 1, .ranks = rank});
    std::int64_t batches = 0;
    // One rank alone is asked, in the middle of the second epoch.
    const Ending ending = trainer.run({.batch = [&](const EpochProgress&) { ++batches; },
                                       .stop = [&] { return rank.rank() == 2 && batches >= 12; },
                                       .checkpoint = state});
    CHECK_EQ(ending, Ending::stopped);
    return 100 * trainer.epochs_done() + trainer.batches_done();
  });
  for (const std::string& error : stopped.error) REQUIRE_EQ(error, "");
  for (const std::int64_t at : stopped.result) CHECK_EQ(at, stopped.result.front());
  CHECK_EQ(options_of_state(state).pieces, 8);
  for (const int ranks : {1, 2, 3}) {
    const auto resumed = on_ranks<Learnt>(ranks, [&](const Communicator& rank) {
      Trainer trainer(train, validation, {}, options, {.threads = 1, .ranks = rank});
      trainer.restore(state);
      trainer.run();
      return learnt_by(trainer);
    });
    for (const std::string& error : resumed.error) REQUIRE_EQ(error, "");
    for (const Learnt& each : resumed.result) check_equal(whole, each, fmt::format("{} ranks go on", ranks));
  }
  TrainingOptions als;
  als.task = Task::regression;
  als.optimizer = Learner::als;
  const auto refused = on_ranks<int>(2, [&](const Communicator& rank) {
    Trainer trainer(train, validation, {}, als, {.threads = 1, .ranks = rank});
    return 0;
  });
  CHECK_EQ(refused.error[0],
           ".optimizer is als, which visits one parameter after the other; over 2 ranks learners that "
           "go down gradients can learn");
}

TEST_CASE("MovieLens-100k: ranks learn the same parameters") {
  const std::filesystem::path folder = data_folder("ml-100k");
  if (!std::filesystem::exists(folder / "ua.base")) {
    MESSAGE("skipped: there is no ", (folder / "ua.base").string(),
            "; set GRADUS_DATA to the folder that holds ml-100k");
    return;
  }
  TrainingOptions options = options_of(Learner::adam);
  options.batch = 5000;
  const Rows train = read_rows((folder / "ua.base").string());
  const Learnt alone = trained(train, Rows{}, options, 0).front();
  for (const int ranks : thorough() ? std::vector{1, 2, 4, 8} : std::vector{4})
    for (const Learnt& each : trained(train, Rows{}, options, ranks))
      check_equal(alone, each, fmt::format("{} ranks", ranks));
}
