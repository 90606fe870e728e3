// What people see of `fm`: exit codes, the one line on standard error for what goes wrong, streams, memory.
#include "../sanitized.h"
#include "../scratch_file.h"
#include "../thorough.h"
#include "clicks.h"
#include "ratings_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

using namespace gradus;

TEST_CASE("wrong usage is one line and exit code 2") {
  const Folder folder;
  const auto refused = [&](const Words& words, const std::string& what) {
    CAPTURE(words);
    CHECK(said(folder, words) == fmt::format("2: fm: {}\n", what));
    CHECK(run_fm(folder, words).out.empty());
  };
  refused({},
          "no command is given; train, evaluate, predict, update, recommend, inspect, convert, export are there (see "
          "fm --help)");
  refused({"learn"},
          "there is no command learn; train, evaluate, predict, update, recommend, inspect, convert, export are there "
          "(see fm "
          "--help)");
  refused({"train"}, "data is required (see fm train --help)");
  refused({"predict", "m"}, "data is required (see fm predict --help)");
  refused({"train", "x", "--rates"}, "there is no option --rates; did you mean --rate? (see fm train --help)");
  refused({"train", "x", "--k", "5"}, "there is no option --k; did you mean -k? (see fm train --help)");
  refused({"train", "x", "--rate", "fast"}, "--rate is fast; a number is expected (see fm train --help)");
  refused({"train", "x", "--rate", "-1"}, "--rate is -1; a number of at least 0 is expected (see fm train --help)");
  refused({"train", "x", "--rate", "nan"}, "--rate is nan; a number of at least 0 is expected (see fm train --help)");
  refused({"train", "x", "--epochs", "0"}, "--epochs is 0; a number of at least 1 is expected (see fm train --help)");
  refused({"train", "x", "--factors", "0"},
          "--factors is 0; a number from 1 to 10000 is expected (see fm train --help)");
  refused({"train", "x", "--valid-fraction", "1"},
          "--valid-fraction is 1; a number from 0 to 0.9 is expected (see fm train --help)");
  refused({"train", "x", "--optimizer", "newton"},
          "--optimizer is newton; one of sgd, momentum, adagrad, adadelta, rmsprop, adam, adamw, ftrl, als, mcmc is "
          "expected (see fm train --help)");
  refused({"train", "x", "--schedule", "steps"},
          "--schedule is steps but --schedule-at names no epoch (see fm train --help)");
  refused({"train", "x", "--schedule", "steps", "--schedule-at", "5,3"},
          "--schedule-at is 5,3; epochs that ascend are expected (see fm train --help)");
  refused({"train", "x", "--device", "tpu"}, "--device is tpu; cpu or cuda:0 is expected (see fm train --help)");
  refused({"train", "x", "--format", "xls"},
          "there is no format \"xls\"; guess, libsvm, libfm, libffm, movielens, csv and tsv are there (see fm train "
          "--help)");
  refused({"evaluate", "m", "x", "--delimiter", "ab"},
          "--delimiter is ab; one character is expected (see fm evaluate --help)");
  refused({"train", "x", "--cv", "1"}, "--cv is 1; a number from 2 to 1000 is expected (see fm train --help)");
  refused({"train", "x", "--shard-above", "x"},
          "--shard-above is x; a number from 0 to 1000000000 is expected (see fm train --help)");
  refused({"train", "x", "--threads", "-1"},
          "--threads is -1; a number from 0 to 1024 is expected (see fm train --help)");
  // Under the name that was given.
  refused({"train", "x", "--learner", "mcm"},
          "--learner is mcm; one of sgd, momentum, adagrad, adadelta, rmsprop, adam, adamw, ftrl, als, mcmc is "
          "expected (see fm train --help)");
  refused({"train", "x", "--lr=fast"}, "--lr is fast; a number is expected (see fm train --help)");
  refused({"train", "x", "-k", "0"}, "-k is 0; a number from 1 to 10000 is expected (see fm train --help)");
}

TEST_CASE("help has examples") {
  const Folder folder;
  for (const Words& words : {Words{"--help"},
                             {"train", "--help"},
                             {"evaluate", "--help"},
                             {"predict", "--help"},
                             {"inspect", "--help"},
                             {"convert", "--help"},
                             {"export", "--help"}}) {
    const Finished done = run_fm(folder, words);
    CHECK(done.code == 0);
    CHECK(done.out.find("Examples:\n  fm ") != std::string::npos);
  }
  CHECK(run_fm(folder, {"--version"}).out == "fm, of Gradus 0.1.0\n");
}

TEST_CASE("what goes wrong is one line and exit code 1") {
  const Folder folder;
  train_clicks(folder);
  CHECK(said(folder, {"train", "none"}) == "1: fm: none: cannot be read: No such file or directory\n");
  CHECK(said(folder, {"evaluate", "none", "clicks.csv"}) ==
        "1: fm: none: cannot be opened: No such file or directory\n");
  CHECK(said(folder, {"evaluate", "clicks.csv", "clicks.csv"}) ==
        "1: fm: clicks.csv: is no model, or is damaged: says that its header has 7310583734747886453 bytes; at most "
        "100000000 are allowed\n");
  CHECK(said(folder, {"train", "clicks.csv", "--target", "sold"}) ==
        "1: fm: clicks.csv: there is no column \"sold\" to be target; the columns are \"user\", \"item\", \"age\", "
        "\"clicked\"\n");
  CHECK(said(folder, {"train", "clicks.csv", "--task", "binary", "--target", "age"}) ==
        "1: fm: clicks.csv: the target of row 1 is 20; 0 and 1, or -1 and 1, are expected\n");
  CHECK(said(folder, {"train", "clicks.csv", "--model", "nowhere/m"}) ==
        "1: fm: nowhere/m: cannot be written: No such file or directory\n");
  CHECK(said(folder, {"predict", "m", "clicks.csv", "--out", "nowhere/p"}) ==
        "1: fm: nowhere/p: cannot be written: No such file or directory\n");
  CHECK(said(folder, {"train", "clicks.csv", "--cv", "20"}) ==
        "1: fm: 20 parts cannot be made of 10 examples; each needs one\n");
  CHECK(said(folder, {"inspect", "m", "--feature", "user=z"}) ==
        "1: fm: there is no feature \"user=z\"; \"user=a\" is one\n");
  write_text(folder / "short.csv", "user,age,clicked\na,20,1\n");
  CHECK(said(folder, {"evaluate", "m", "short.csv"}) ==
        "1: fm: short.csv: has no column \"item\", which the model has as categorical; the columns are \"user\", "
        "\"age\", \"clicked\"\n");
  write_text(folder / "bad.csv", "user,item,age,clicked\na,x,20,1\na,x,old,1\n");
  CHECK(said(folder, {"predict", "m", "bad.csv"}) == "1: fm: bad.csv:3: column \"age\": \"old\" is not a number\n");
  write_text(folder / "few", "1\n2\n");
  CHECK(said(folder, {"train", "clicks.csv", "--weights", "few"}) ==
        "1: fm: few: has 2 weights but there are 10 examples\n");
  write_text(folder / "negative", "1\n-2\n");
  CHECK(said(folder, {"train", "clicks.csv", "--weights", "negative"}) ==
        "1: fm: negative:2: \"-2\" is negative; weights are 0 or more\n");
  CHECK(said(folder, {"train", "clicks.csv", "--optimizer", "sgd", "--rate", "1e30", "--task", "regression",
                      "--valid-fraction", "0"}) ==
        "1: fm: the loss is no finite number any more in epoch 2, batch 1 of 1: lower --rate, which is 1e+30, or set "
        "--clip-norm 1; where columns hold large numbers, --normalize brings them into reach\n");
  CHECK(said(folder, {"train", "clicks.csv", "--device", "cuda"}).starts_with("1: fm: "));
}

TEST_CASE("a full disk is said") {
  const Folder folder;
  train_clicks(folder);
  CHECK(said(folder, {"predict", "m", "clicks.csv", "--out", "/dev/full"}) ==
        "1: fm: /dev/full: cannot be written: No space left on device\n");
  for (const Words& words : {Words{"predict", "m", "clicks.csv"},
                             {"evaluate", "m", "clicks.csv"},
                             {"inspect", "m"},
                             {"train", "clicks.csv"}}) {
    const Finished done = run_fm(folder, words, {.out = "/dev/full"});
    CHECK(done.code == 1);
    CHECK(done.err == "fm: standard output: cannot be written: No space left on device\n");
  }
}

TEST_CASE("predictions of files, of standard input, without targets, of what was never seen") {
  const Folder folder;
  train_clicks(folder);
  const Finished printed = run_fm(folder, {"predict", "m", "clicks.csv"});
  CHECK(printed.err.empty());
  CHECK(std::count(printed.out.begin(), printed.out.end(), '\n') == 10);
  CHECK(said(folder, {"predict", "m", "clicks.csv", "--out", "p"}) == "0: p: 10 predictions\n");
  CHECK(text_of(folder / "p") == printed.out);
  CHECK(run_fm(folder, {"predict", "m", "-"}, {.in = folder / "clicks.csv"}).out == printed.out);
  CHECK(run_fm(folder, {"predict", "m", "clicks.csv", "--out", "/dev/null"}).out == "/dev/null: 10 predictions\n");
  write_text(folder / "clicks.gz", gzipped(clicks));
  CHECK(run_fm(folder, {"predict", "m", "clicks.gz"}).out == printed.out);

  write_text(folder / "new.csv", "age,item,user\n20,x,a\n20,x,z\n,x,a\n");
  const Finished unseen = run_fm(folder, {"predict", "m", "new.csv"});
  CHECK(unseen.out.substr(0, unseen.out.find('\n')) == printed.out.substr(0, printed.out.find('\n')));
  CHECK(unseen.err == "  never seen in training, so left out: 1 user\n  empty, so read as 0: 1 age\n");
  const auto json = nlohmann::json::parse(run_fm(folder, {"predict", "m", "new.csv", "--out", "p", "--json"}).out);
  CHECK(json == nlohmann::json{{"predictions", 3}, {"unseen", {{"user", 1}}}, {"missing", {{"age", 1}}}});
}

TEST_CASE("predictions stream in constant memory" * doctest::skip(!thorough())) {
  const Folder folder;
  write_text(folder / "few", ratings_text({.count = 3000, .form = RatingsForm::libfm}));
  REQUIRE(run_fm(folder, {"train", "few", "--format", "libfm", "--model", "m", "--epochs", "1"}).code == 0);
  const auto peak = [&](std::int64_t count) {
    write_text(folder / "many", ratings_text({.count = count, .form = RatingsForm::libfm}));
    const Finished done =
        run_fm(folder, {"predict", "m", "-", "--out", "p", "--threads", "1"}, {.in = folder / "many"});
    REQUIRE(done.code == 0);
    return done.peak_kib;
  };
  const long small = peak(200'000);
  const long large = peak(1'200'000);
  MESSAGE("peak memory ", small, " KiB for 200,000 lines, ", large, " KiB for 1,200,000");
  if (!sanitized) CHECK(large < small + 4096);
}

TEST_CASE("fm train on a file alone") {
  const Folder folder;
  write_text(folder / "ratings.csv", ratings_text({.count = 5000, .users = 50, .items = 80, .form = RatingsForm::csv}));
  const Finished done = run_fm(folder, {"train", "ratings.csv"});
  REQUIRE(done.code == 0);
  CHECK(done.err.empty());
  CHECK(
      done.out.starts_with("ratings.csv: csv, 5000 examples, 130 features (50 user, 80 item)\n"
                           "  user (category: text, 50 different)\n  item (category: text, 80 different)\n"
                           "  rating (target)\n"
                           "target: rating (--target names another)\n"
                           "validation: 500 examples held out\n"
                           "l2-v and its validation mse: 0.00222 "));
  CHECK(done.out.find("\nmodel: fm, 8 factors; regression, adam, rate 0.003, l2-w 0.000111, l2-v ") !=
        std::string::npos);
  CHECK(done.out.find(" over all; 128 rows a step; 139 epochs at most, patience 8; seed 1\n"
                      "epoch       train mse       valid mse  examples/s\n") != std::string::npos);
  CHECK(done.out.find("\nvalidation: mse ") != std::string::npos);
  CHECK(done.out.find("\nconstant: mse ") != std::string::npos);
  CHECK(done.out.find("best epoch: ") != std::string::npos);
  CHECK(
      done.out.ends_with("The model is not kept: --model FILE keeps it.\n"
                         "--learner mcmc may do better on data of this size: Gibbs sampling, with nothing to tune\n"));
  CHECK(done.out.find('\033') == std::string::npos);  // nor a bar

  const auto json = nlohmann::json::parse(run_fm(folder, {"train", "ratings.csv", "--json"}).out);
  CHECK(json["task"] == "regression");
  CHECK(json["train_examples"] == 4500);
  CHECK(json["validation_examples"] == 500);
  const auto best = json["best_epoch"].get<std::size_t>();
  CHECK(json["history"][best - 1]["validation"] == json["metrics"]["validation mse"]);
  for (const auto& epoch : json["history"]) CHECK(epoch["validation"] >= json["metrics"]["validation mse"]);
  // What there is to learn was learnt: the spread of the targets is 1.0.
  CHECK(json["metrics"]["validation mse"] < 0.6);
}

TEST_CASE("MovieLens-1M's shape: the whole command, its memory and its time") {
  const Folder folder;
  write_text(folder / "ratings.libfm", ratings_text(movielens_1m(RatingsForm::libfm)));
  const auto start = std::chrono::steady_clock::now();
  const Finished done =
      run_fm(folder, {"train", "ratings.libfm", "--factors", "20", "--optimizer", "adagrad", "--epochs", "1",
                      "--valid-fraction", "0", "--l2-w", "0", "--l2-v", "0", "--json"});
  REQUIRE(done.code == 0);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  MESSAGE("read and learnt once in ", seconds.count(), " s, peak memory ", done.peak_kib / 1024, " MiB");
  if (!sanitized) CHECK(done.peak_kib < 60 * 1000 * 1000 / 1024);
}
