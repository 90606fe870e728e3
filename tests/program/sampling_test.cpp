// fm train --learner mcmc and als: what is written, predicted, refused, and gone on with after a stop.
#include "interrupted.h"
#include "ratings_text.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <sstream>

using namespace gradus;

namespace {

const std::vector<std::string> sampling = {
    "train", "ratings",   "--format", "movielens",          "--model", "m", "--learner", "mcmc", "--epochs",
    "40",    "--samples", "8",        "--checkpoint-every", "7"};

// Ratings as classes: whether they are above 3.
std::string clicks_text(std::int64_t count) {
  std::istringstream ratings(ratings_text({.count = count, .form = RatingsForm::csv}));
  std::string text = "user,item,clicked\n", line;
  std::getline(ratings, line);
  while (std::getline(ratings, line)) {
    const std::size_t comma = line.rfind(',');
    text += line.substr(0, comma) + (std::atof(line.c_str() + comma + 1) > 3 ? ",1\n" : ",0\n");
  }
  return text;
}

// Ratings with a third column, so that there are products of three features, and two values in some of its cells.
std::string ratings_with_days(std::int64_t count) {
  std::istringstream ratings(ratings_text({.count = count, .users = 100, .items = 80, .form = RatingsForm::csv}));
  std::string text = "user,item,day,rating\n", line;
  std::getline(ratings, line);
  for (int n = 0; std::getline(ratings, line); ++n) {
    const std::size_t comma = line.rfind(',');
    text +=
        line.substr(0, comma) + ",d" + std::to_string(n % 7) + (n % 3 == 0 ? "|sale" : "") + line.substr(comma) + "\n";
  }
  return text;
}

double metric(const Folder& folder, const std::vector<std::string>& command, const char* of, const char* name) {
  const Finished done = run_fm(folder, with(command, {"--json"}));
  REQUIRE_MESSAGE(done.code == 0, done.err);
  const auto json = nlohmann::json::parse(done.out);
  return (*of == '\0' ? json : json[of])[name].get<double>();
}

}  // namespace

TEST_CASE("mcmc needs no other option, beats gradients, and tells how sure it is") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 4000}));
  write_text(folder / "others", ratings_text({.count = 1000, .seed = 2}));
  const Finished done =
      run_fm(folder, {"train", "ratings", "--format", "movielens", "--learner", "mcmc", "--model", "m"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(done.out.find("; regression, mcmc; 500 epochs, 25 samples; seed 1\n") != std::string::npos);
  CHECK(done.out.find("\npredictions: the mean of 25 samples of epochs 11 to 500\n") != std::string::npos);
  CHECK(done.out.find("may do better") == std::string::npos);
  const double sampled = metric(folder, {"evaluate", "m", "others"}, "", "rmse");
  REQUIRE(run_fm(folder, {"train", "ratings", "--format", "movielens", "--model", "adam"}).code == 0);
  CHECK(sampled < metric(folder, {"evaluate", "adam", "others"}, "", "rmse"));

  REQUIRE(run_fm(folder, {"predict", "m", "others", "--std", "--out", "sure"}).code == 0);
  std::istringstream both(text_of(folder / "sure")), alone(run_fm(folder, {"predict", "m", "others"}).out);
  std::string line, prediction;
  int lines = 0;
  for (; std::getline(both, line) && std::getline(alone, prediction); ++lines) {
    CHECK(line.substr(0, line.find(',')) == prediction);
    const double deviation = std::atof(line.substr(line.find(',') + 1).c_str());
    CHECK(deviation > 0);
    CHECK(deviation < 2);
  }
  CHECK(lines == 1000);
  CHECK(run_fm(folder, {"predict", "m", "others", "--std", "--out", "sure"}).code == 0);  // over one of its own
  CHECK(run_fm(folder, {"predict", "adam", "others", "--std"}).err ==
        "fm: adam: --std tells how far samples differ, but the model has none: it was learnt by adam, not by mcmc\n");

  CHECK(run_fm(folder, {"inspect", "m"})
            .out.find("\nweights and factors below are means of 25 samples; predictions are the mean of the samples' "
                      "predictions\n") != std::string::npos);
  CHECK(run_fm(folder, {"export", "m", "--onnx", "m.onnx"}).out.find("of the mean of the 25 samples' parameters") !=
        std::string::npos);
}

TEST_CASE("mcmc and als tell probabilities") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks_text(4000));
  for (const std::string learner : {"mcmc", "als"}) {
    CAPTURE(learner);
    const Finished done =
        run_fm(folder, {"train", "clicks.csv", "--learner", learner, "--epochs", "100", "--model", "m", "--json"});
    REQUIRE_MESSAGE(done.code == 0, done.err);
    const auto json = nlohmann::json::parse(done.out);
    CHECK(json["task"] == "binary");
    CHECK(json["metrics"]["validation log loss"] < json["metrics"]["constant log loss"]);
    std::istringstream told(run_fm(folder, {"predict", "m", "clicks.csv"}).out);
    for (std::string line; std::getline(told, line);) {
      CHECK(std::atof(line.c_str()) > 0);
      CHECK(std::atof(line.c_str()) < 1);
    }
    CHECK(run_fm(folder, {"export", "m", "--onnx", learner + ".onnx"}).code == 0);
  }
}

TEST_CASE("higher-order and field-aware models are learnt by mcmc and als") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 4000}));
  for (const std::string kind : {"higher-order", "field-aware"})
    for (const std::string learner : {"mcmc", "als"}) {
      CAPTURE(kind);
      CAPTURE(learner);
      const std::vector<std::string> command{"train",    "ratings", "--format",  "movielens", "--kind",  kind,
                                             "--epochs", "12",      "--learner", learner,     "--model", "m"};
      const Finished done = run_fm(folder, with(command, {"--json", "--overwrite"}));
      REQUIRE_MESSAGE(done.code == 0, done.err);
      const auto json = nlohmann::json::parse(done.out);
      CHECK(json["metrics"]["validation mse"] < json["metrics"]["constant mse"]);
      const std::string model = text_of(folder / "m");
      REQUIRE(run_fm(folder, with(command, {"--overwrite", "--threads", "2"})).code == 0);
      CHECK(text_of(folder / "m") == model);
      CHECK(run_fm(folder, {"predict", "m", "ratings", "--out", "told"}).code == 0);
      CHECK((run_fm(folder, {"predict", "m", "ratings", "--std"}).code == 0) == (learner == "mcmc"));
      CHECK(run_fm(folder, {"evaluate", "m", "ratings"}).code == 0);
      CHECK(run_fm(folder, {"inspect", "m"}).out.find(kind) != std::string::npos);
    }
}

TEST_CASE("als stops early, with a penalty that it found") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 4000}));
  const Finished done = run_fm(folder, {"train", "ratings", "--format", "movielens", "--learner", "als"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(done.out.find("; regression, als, l2-w 0.05, ") != std::string::npos);  // as often as it occurs: all are ones
  CHECK(done.out.find("; stopped early\n") != std::string::npos);
}

TEST_CASE("options that a learner has no use for are refused by name") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 100}));
  const auto refused = [&](const std::string& learner, const std::vector<std::string>& more, const std::string& what) {
    const Finished done = run_fm(folder, with({"train", "ratings", "--learner", learner}, more));
    CHECK(done.code == 2);
    CHECK(done.err == "fm: " + what + " (see fm train --help)\n");
  };
  refused("mcmc", {"--rate", "0.1"}, "--rate is 0.1, but mcmc has no use for it");
  refused("als", {"--rate", "0.1"}, "--rate is 0.1, but als has no use for it");
  refused("mcmc", {"--l2-v", "0.1"}, "--l2-v is 0.1, but mcmc has no use for it");
  refused("mcmc", {"--patience", "3"}, "--patience is 3, but mcmc has no use for it");
  refused("als", {"--samples", "3"}, "--samples is 3, but als has no use for it");
  refused("adam", {"--samples", "3"}, "--samples is 3, but adam has no use for it");
  refused("mcmc", {"--batch", "64"}, "--batch is 64, but mcmc has no use for it");
  refused("mcmc", {"--kind", "deep"},
          "--kind is deep, but mcmc learns models that are linear in each parameter: all kinds but deep");
  refused("als", {"--task", "ranking"}, "--task is ranking, but als learns regression and binary alone");
  refused("als", {"--search"}, "--search tries learning rates, but als has none");
  refused("mcmc", {"--walkthrough", folder / "page.html"},
          "--walkthrough shows steps down gradients, but mcmc makes none");
  CHECK(run_fm(folder, {"train", "--help"}).out.find("--optimizer,--learner") != std::string::npos);
}

TEST_CASE("mcmc that is interrupted ends with the bits of one that never stopped") {
  const Folder folder;
  write_text(folder / "ratings", ratings_text({.count = 20000}));
  REQUIRE(run_fm(folder, with(sampling, {"--threads", "1"})).code == 0);
  const std::string model = text_of(folder / "m");
  std::filesystem::remove(folder / "m");
  check_interrupted(folder, sampling, 2, {SIGKILL, SIGTERM});
  CHECK(text_of(folder / "m") == model);  // on all threads as on one
  CHECK(run_fm(folder, with(sampling, {"--resume"})).err ==
        "fm: m.checkpoint: is not there, so there is no training to go on with; without --resume a new one begins\n");
}

TEST_CASE(
    "mcmc and als of higher order and of fields that are interrupted end with the bits of such as never stopped") {
  const Folder folder;
  write_text(folder / "ratings.csv", ratings_with_days(3000));
  for (const std::string kind : {"higher-order", "field-aware"})
    for (const std::string learner : {"mcmc", "als"}) {
      CAPTURE(kind);
      CAPTURE(learner);
      std::vector<std::string> training{
          "train",     "ratings.csv", "--multi",  "day", "--kind",  kind, "--factors",          "4",
          "--learner", learner,       "--epochs", "24",  "--model", "m",  "--checkpoint-every", "3"};
      training = with(training, learner == "mcmc" ? std::vector<std::string>{"--samples", "6"}
                                                  : std::vector<std::string>{"--patience", "0", "--l2-v", "0.1"});
      check_interrupted(folder, training, 2, {SIGKILL, SIGINT});
      std::filesystem::remove(folder / "m");
    }
}
