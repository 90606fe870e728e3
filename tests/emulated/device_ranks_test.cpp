// Sessions over ranks on a device, on one that is emulated: what ranks on the CPU learn but for rounding, the same bits
// for any number of ranks, and what is refused.
#include "../emulator/emulated_accelerator.h"
#include "../ranks_of_threads.h"
#include "../thorough.h"
#include "../trainings_of_ranks.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>

using namespace gradus;
using namespace trainings_of_ranks;

namespace {

// A card of its own for whoever asks.
Device a_card() {
  return Device::other("emulated", [] { return std::make_shared<EmulatedAccelerator>(); });
}

// Trained by so many ranks, each on a device of its own: what the first ends with.
Values trained_on(const Device& device, Training training, int ranks,
                  std::int64_t shard_above = std::int64_t{1} << 30) {
  training.device = device;
  const auto all =
      on_ranks<Values>(ranks, [&](const Communicator& rank) { return training.run(&rank, 4, shard_above); });
  for (const std::string& error : all.error)
    if (!error.empty()) throw Error(error);
  for (const Values& each : all.result) check_same(all.result[0], each, "ranks");
  return all.result[0];
}

void check_devices(const Training& training, const std::string& what) {
  const Values cpu = trained_on(Device::cpu(), training, 1), one = trained_on(a_card(), training, 1);
  for (const auto& variable : cpu) {
    CAPTURE(what);
    CAPTURE(variable.first);
    CHECK(allclose(one.at(variable.first), variable.second, 1e-3, 1e-4));
  }
  for (const int ranks : {2, 4}) check_same(one, trained_on(a_card(), training, ranks), what);
}

}  // namespace

TEST_CASE("ranks on a device learn what those on the CPU do, to the same bits for any number of them") {
  for (const auto& [name, train] : optimizers) {
    if (!thorough() && name != "sgd" && name != "adam") continue;
    for (const L2Over over : {L2Over::all, L2Over::touched})
      check_devices(model_training({.factors = 3, .init_stddev = 0.1, .l2_W = 0.01, .l2_V = 0.01, .l2_over = over},
                                   train, over == L2Over::all, 62),
                    name);
  }
  check_devices(model_training({.factors = 3, .init_stddev = 0.1}, clipped_step, true, 60), "clipped");
}

TEST_CASE("ranks on a device: sums and rows are the last fed ones', run after run") {
  const auto all = on_ranks<bool>(2, [](const Communicator& rank) {
    Graph g;
    const Expr x = g.placeholder("x", {any, 3});
    const Expr b = g.variable("b", zeros({3}));
    const Expr total = reduce_sum(x, 0) + b, rows = x * reduce_sum(x);
    Session session(g, a_card(), rank, {.pieces = 2});
    for (float number = 1; number < 6; ++number) {
      const auto got = session.run({total, rows}, {{x, full({2, 3}, number * static_cast<float>(1 + rank.rank()))}});
      CHECK((got[0] == full({3}, 6 * number)));
      CHECK((got[1] == full({2, 3}, 18 * number * number * static_cast<float>(1 + rank.rank()))));
    }
    return true;
  });
  for (const std::string& error : all.error) CHECK_EQ(error, "");
}

TEST_CASE("ranks on a device refuse to share out a table") {
  const Training training = model_training({.factors = 3, .init_stddev = 0.1}, optimizers[0].second, false, 62);
  try {
    trained_on(a_card(), training, 2, 200);
    FAIL_CHECK("nothing is refused");
  } catch (const Error& error) {
    const std::string what = error.what();
    CAPTURE(what);
    CHECK_NE(what.find("V ("), std::string::npos);
    CHECK_NE(what.find("276 bytes is above shard_above, 200 bytes, but ranks share out tables on the CPU alone; with a "
                       "larger shard_above each has all of it on emulated"),
             std::string::npos);
  }
}

TEST_CASE("a launcher says which card is a rank's") {
  for (const char* name : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}) {
    CHECK_EQ(Communicator::local_rank(), 0);
    ::setenv(name, "3", 1);
    CHECK_EQ(Communicator::local_rank(), 3);
    ::unsetenv(name);
  }
}
