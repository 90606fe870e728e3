// A training that is interrupted and taken up again ends with the bits of one that never stopped. tests/attack kills
// it.
#include "../sanitized.h"
#include "interrupted.h"
#include "ratings_text.h"

using namespace gradus;

TEST_CASE("Ctrl-C finishes the batch, saves, and says how to go on") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = sanitized ? 4000 : 20000}));
  const std::vector<std::string> slow = {"train",    "ratings", "--format", "movielens", "--model",    "m",
                                         "--epochs", "15",      "--batch",  "16",        "--patience", "0"};
  REQUIRE(run_fm(folder, with(slow, {"--threads", "1"})).code == 0);
  const std::string model = text_of(folder / "m");
  std::filesystem::remove(folder / "m");
  for (const int signal : {SIGINT, SIGTERM}) {
    Running program(folder, slow);
    REQUIRE(program.prints("\n    2 "));
    program.send(signal);
    const Finished stopped = program.wait();
    CAPTURE(stopped.err);
    CHECK(stopped.code == 1);
    CHECK(stopped.err.starts_with("fm: interrupted in epoch "));
    CHECK(
        stopped.err.ends_with("; m.checkpoint is saved; go on with: fm train ratings --format movielens --model m "
                              "--epochs 15 --batch 16 --patience 0 --resume\n"));
    CHECK(::access((folder / "m").c_str(), F_OK) != 0);
    const Finished resumed = run_fm(folder, with(slow, {"--resume"}));
    CHECK(resumed.code == 0);
    CHECK(resumed.out.find("\nresumed: ") != std::string::npos);
    CHECK(text_of(folder / "m") == model);  // on all threads as on one
    std::filesystem::remove(folder / "m");
  }
}

TEST_CASE("what a state is not mixed up with") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 2000}));
  write_text(folder / "others", ratings_text({.count = 2000, .seed = 2}));
  const std::vector<std::string> slow = {"train",    "ratings", "--format",   "movielens", "--model", "m",
                                         "--epochs", "100000",  "--patience", "0",         "--batch", "64"};
  Running program(folder, slow);
  REQUIRE(program.prints("\n    2 "));
  program.send(SIGINT);
  REQUIRE(program.wait().code == 1);
  const Finished rate = run_fm(folder, with(slow, {"--resume", "--rate", "0.5"}));
  CHECK(rate.code == 1);
  CHECK(rate.err == "fm: m.checkpoint: is of a training with other options: --rate is 0.5 but was 0\n");
  std::vector<std::string> other = with(slow, {"--resume"});
  other[1] = "others";
  CHECK(run_fm(folder, other).err == "fm: m.checkpoint: is of a training on other data\n");

  std::string bytes = text_of(folder / "m.checkpoint");
  bytes[bytes.size() / 2] ^= 1;
  write_text(folder / "m.checkpoint", bytes);
  CHECK(run_fm(folder, with(slow, {"--resume"})).err ==
        "fm: m.checkpoint: is damaged: its checksum is not that of its contents\n");
  write_text(folder / "m.checkpoint", bytes.substr(0, bytes.size() / 2));
  CHECK(run_fm(folder, with(slow, {"--resume"})).code == 1);
  CHECK(run_fm(folder, {"train", "ratings", "--resume"}).err ==
        "fm: --resume goes on from MODEL.checkpoint, but no --model is named (see fm train --help)\n");
}

TEST_CASE("the same seed gives the same bits, with one thread and with two") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = sanitized ? 4000 : 20000}));
  const auto model = [&](const std::vector<std::string>& more) {
    REQUIRE(run_fm(folder, with({"train", "ratings", "--format", "movielens", "--model", "m", "--epochs", "3"}, more))
                .code == 0);
    return text_of(folder / "m");
  };
  const std::string one = model({"--threads", "1", "--no-refit"});
  CHECK(model({"--threads", "2", "--no-refit"}) == one);
  CHECK(model({"--threads", "2", "--no-refit"}) == one);
  CHECK(model({"--threads", "1", "--seed", "2"}) != one);
  const std::string refitted = model({"--threads", "1", "--refit"});
  CHECK(refitted != one);
  CHECK(model({"--threads", "2", "--refit"}) == refitted);
}
