// A training that is killed, at whatever moment, and taken up again ends with the bits of one that never stopped; no
// file is torn.
#include "../program/interrupted.h"
#include "../program/ratings_text.h"
#include "attack.h"

using namespace gradus;

TEST_CASE("killed at random moments") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 5000}));
  const std::vector<std::string> training = {"train",
                                             "ratings",
                                             "--format",
                                             "movielens",
                                             "--model",
                                             "m",
                                             "--epochs",
                                             "25",
                                             "--batch",
                                             "256",
                                             "--patience",
                                             "0",
                                             "--optimizer",
                                             "adagrad",
                                             "--factors",
                                             "6",
                                             "--schedule",
                                             "exponential",
                                             "--schedule-decay",
                                             "0.9",
                                             "--checkpoint-every",
                                             "1"};
  check_interrupted(folder, training, attack.kills, {SIGKILL});
}
