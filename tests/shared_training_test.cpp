// Trainings by ranks that share out the rows of tables: the parameters that ranks learn which have all of them, and
// states that each rank has written its part of, from which others go on.
#include "data_folder.h"
#include "folder.h"
#include "ratings.h"
#include "refusal.h"
#include "thorough.h"
#include "trainers_of_ranks.h"

#include <gradus/gradus.h>
#include <gradus/models/training/detail/state_shards.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace gradus;
using namespace trainers_of_ranks;

namespace {

constexpr std::int64_t few_bytes = 64;  // bytes: of the models here W and V are more, w0 is less

// A state of ranks that were stopped after some batches.
void write_state(const Rows& train, const Rows& validation, const TrainingOptions& options, const std::string& state,
                 std::int64_t stop_after, int ranks = 4) {
  const auto stopped = on_ranks<int>(ranks, [&](const Communicator& rank) {
    Trainer trainer(train, validation, {}, options, {.threads = 1, .ranks = rank, .shard_above = few_bytes});
    std::int64_t batches = 0;
    const Ending ending = trainer.run({.batch = [&](const EpochProgress&) { ++batches; },
                                       .stop = [&] { return rank.rank() == 1 && batches >= stop_after; },
                                       .checkpoint = state});
    CHECK_EQ(ending, Ending::stopped);
    return 0;
  });
  for (const std::string& error : stopped.error) REQUIRE_EQ(error, "");
}

std::vector<std::string> files_in(const Folder& folder) {
  std::vector<std::string> names = folder.files();
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("ranks that share out tables learn the parameters of those that do not") {
  const Rows train = ratings(730), validation = ratings(90);
  for (const Learner learner : {Learner::adam, Learner::adagrad, Learner::ftrl}) {
    const TrainingOptions options = options_of(learner);
    const Learnt alone = trained(train, validation, options, 0).front();
    for (const int ranks : {2, 4, 7})
      for (const Learnt& each : trained(train, validation, options, ranks, few_bytes))
        check_equal(alone, each, fmt::format("{}, {} ranks", to_string(learner), ranks));
  }
}

TEST_CASE("one rank alone has all of a model whose tables are shared out") {
  const Rows train = ratings(400), validation = ratings(90);
  for (const bool validated : {true, false}) {
    const auto all = on_ranks<int>(3, [&](const Communicator& rank) {
      Trainer trainer(train, validated ? validation : Rows{}, {}, options_of(Learner::adam),
                      {.threads = 1, .ranks = rank, .shard_above = few_bytes});
      trainer.run();
      const Parameters of_all = trainer.parameters(), of_first = trainer.parameters(0);
      if (rank.rank() == 0) {
        CHECK_EQ(of_first, of_all);
      } else {
        REQUIRE_EQ(of_first.size(), 1);
        CHECK_EQ(of_first.at("w0"), of_all.at("w0"));
      }
      return 0;
    });
    for (const std::string& error : all.error) CHECK_EQ(error, "");
  }
}

TEST_CASE("any number of ranks goes on from what each of others has written of its rows") {
  const Rows train = ratings(900), validation = ratings(90);
  const TrainingOptions options = options_of(Learner::adam);
  const Learnt whole = trained(train, validation, options, 0).front();
  const Folder folder;
  const std::string state = folder / "state";
  write_state(train, validation, options, state, 12);
  CHECK_EQ(files_in(folder), std::vector<std::string>{"state", "state.shard-0.1", "state.shard-1.1", "state.shard-2.1",
                                                      "state.shard-3.1"});
  CHECK_EQ(options_of_state(state).pieces, 8);
  for (const int ranks : {0, 1, 2, 3, 4, 8})
    for (const Learnt& each : trained(train, validation, options, ranks, few_bytes, state))
      check_equal(whole, each, fmt::format("{} ranks go on", ranks));

  // From 4 ranks to 2 to 1: each writes anew, and what was there before is gone.
  const auto go_on = [&](int ranks, std::int64_t more) {
    const auto stopped = on_ranks<int>(ranks, [&](const Communicator& rank) {
      Trainer trainer(train, validation, {}, options, {.threads = 1, .ranks = rank, .shard_above = few_bytes});
      trainer.restore(state);
      std::int64_t batches = 0;
      trainer.run({.batch = [&](const EpochProgress&) { ++batches; },
                   .stop = [&] { return batches >= more; },
                   .checkpoint = state});
      return 0;
    });
    for (const std::string& error : stopped.error) REQUIRE_EQ(error, "");
  };
  go_on(2, 3);
  CHECK_EQ(files_in(folder), std::vector<std::string>{"state", "state.shard-0.2", "state.shard-1.2"});
  go_on(1, 3);
  CHECK_EQ(files_in(folder), std::vector<std::string>{"state"});
  for (const int ranks : {1, 4})
    for (const Learnt& each : trained(train, validation, options, ranks, few_bytes, state))
      check_equal(whole, each, "4, 2, 1");
  remove_training_state(state);
  CHECK(files_in(folder).empty());
}

TEST_CASE("a state of ranks is whole or not there: torn writings, and shards of others, are told") {
  const Rows train = ratings(400), validation = ratings(90);
  const TrainingOptions options = options_of(Learner::adagrad);
  const Learnt whole = trained(train, validation, options, 0).front();
  const Folder folder;
  const std::string state = folder / "state";
  write_state(train, validation, options, state, 5);

  // A writing that was killed before the state's file took its place: the one before is whole.
  for (int r = 0; r < 4; ++r) std::ofstream(shard_path(state, static_cast<std::size_t>(r), 2)) << "torn";
  for (const Learnt& each : trained(train, validation, options, 2, few_bytes, state))
    check_equal(whole, each, "torn shards");

  const auto refused = [&] {
    std::string text = refusal<IoError>([&] {
      Trainer trainer(train, validation, {}, options);
      trainer.restore(state);
    });
    if (const std::size_t at = text.find(state); at != std::string::npos) text.replace(at, state.size(), "S");
    return text;
  };
  const std::string second = shard_path(state, 2, 1);
  const auto bytes = [&](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string right = bytes(second);
  std::string wrong = right;
  wrong.back() = static_cast<char>(wrong.back() ^ 1);
  std::ofstream(second, std::ios::binary) << wrong;
  CHECK_EQ(refused(), "S.shard-2.1: is damaged: its checksum is not that of its contents");
  std::ofstream(second, std::ios::binary) << bytes(shard_path(state, 3, 1));
  CHECK_NE(refused().find("S.shard-2.1: is damaged: "), std::string::npos);
  std::filesystem::remove(second);
  CHECK_NE(refused().find("S.shard-2.1: "), std::string::npos);
  std::ofstream(second, std::ios::binary) << right;
  CHECK_EQ(refused(), "nothing was thrown");
}

TEST_CASE("MovieLens-100k: ranks that share out tables learn the same parameters") {
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
  for (const int ranks : thorough() ? std::vector{2, 4, 8} : std::vector{4})
    for (const Learnt& each : trained(train, Rows{}, options, ranks, few_bytes))
      check_equal(alone, each, fmt::format("{} ranks", ranks));
}
