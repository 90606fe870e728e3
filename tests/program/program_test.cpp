// What people see of `fm`: exit codes, the one line on standard error for what goes wrong, streams, and what its
// commands print.
#include "../data_folder.h"
#include "../scratch_file.h"
#include "ratings_text.h"
#include "run_program.h"

#include <doctest/doctest.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <sstream>

using namespace gradus;

namespace {

using Words = std::vector<std::string>;

const std::string clicks =
    "user,item,age,clicked\n"
    "a,x,20,1\nb,y,30,0\na,y,20,1\nc,x,40,0\na,x,20,1\nb,x,30,0\nc,y,40,1\nb,y,30,0\na,y,20,1\nc,x,40,0\n";

// "2: what standard error says", or "0: what standard output says".
std::string said(const Folder& folder, const Words& words) {
  const Finished done = run_fm(folder, words);
  return fmt::format("{}: {}", done.code, done.code == 0 ? done.out : done.err);
}

void train_clicks(const Folder& folder, const Words& more = {}) {
  write_text(folder / "clicks.csv", clicks);
  Words words{"train", "clicks.csv", "--model", "m", "--epochs", "3", "--quiet", "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  const Finished done = run_fm(folder, words);
  REQUIRE_MESSAGE(done.code == 0, done.err);
}

}  // namespace

TEST_CASE("wrong usage is one line and exit code 2") {
  const Folder folder;
  const auto refused = [&](const Words& words, const std::string& what) {
    CAPTURE(words);
    CHECK(said(folder, words) == fmt::format("2: fm: {}\n", what));
    CHECK(run_fm(folder, words).out.empty());
  };
  refused({}, "A subcommand is required (see fm --help)");
  refused({"learn"},
          "there is no command learn; train, evaluate, predict, inspect, convert, export are there (see fm --help)");
  refused({"train"}, "data is required (see fm train --help)");
  refused({"predict", "m"}, "data is required (see fm predict --help)");
  refused({"train", "x", "--rates"}, "The following argument was not expected: --rates (see fm train --help)");
  refused({"train", "x", "--rate", "fast"}, "Could not convert: --rate = fast (see fm train --help)");
  refused({"train", "x", "--rate", "-1"}, "--rate is -1; a number of at least 0 is expected (see fm train --help)");
  refused({"train", "x", "--rate", "nan"}, "--rate is nan; a number of at least 0 is expected (see fm train --help)");
  refused({"train", "x", "--epochs", "0"}, "--epochs is 0; a number of at least 1 is expected (see fm train --help)");
  refused({"train", "x", "--factors", "0"},
          "--factors is 0; a number from 1 to 10000 is expected (see fm train --help)");
  refused({"train", "x", "--valid-fraction", "1"},
          "--valid-fraction is 1; a number from 0 to 0.9 is expected (see fm train --help)");
  refused({"train", "x", "--optimizer", "newton"},
          "--optimizer is newton; one of sgd, momentum, adagrad, adadelta, rmsprop, adam, adamw, ftrl is expected (see "
          "fm train --help)");
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
  refused({"train", "x", "--cv", "1"}, "--cv: Value 1 not in range 2 to 1000 (see fm train --help)");
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
        "1: fm: clicks.csv: is no model, or is damaged: it says that its header has 7310583734747886453 bytes; at most "
        "100000000 are allowed\n");
  CHECK(said(folder, {"train", "clicks.csv", "--target", "sold"}) ==
        "1: fm: clicks.csv: there is no column \"sold\" to be target; the columns are \"user\", \"item\", \"age\", "
        "\"clicked\"\n");
  CHECK(said(folder, {"train", "clicks.csv", "--task", "binary", "--target", "age"}) ==
        "1: fm: clicks.csv: the target of example 1 is 20; a binary task takes 0 and 1, or -1 and 1\n");
  CHECK(said(folder, {"train", "clicks.csv", "--model", "nowhere/m"}) ==
        "1: fm: nowhere/m: cannot be written: No such file or directory\n");
  CHECK(said(folder, {"predict", "m", "clicks.csv", "--out", "nowhere/p"}) ==
        "1: fm: nowhere/p: cannot be written: No such file or directory\n");
  CHECK(said(folder, {"train", "clicks.csv", "--cv", "20"}) ==
        "1: fm: --cv is 20 but there are 10 examples; each part needs one\n");
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

TEST_CASE("predictions stream in constant memory") {
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
  CHECK(peak(1'200'000) < small + 4096);
}

TEST_CASE("fm train on a file alone") {
  const Folder folder;
  write_text(folder / "ratings.csv", ratings_text({.count = 5000, .users = 50, .items = 80, .form = RatingsForm::csv}));
  const Finished done = run_fm(folder, {"train", "ratings.csv"});
  REQUIRE(done.code == 0);
  CHECK(done.err.empty());
  CHECK(
      done.out.starts_with("ratings.csv: csv, 5000 examples, 130 features (50 user, 80 item)\n"
                           "target: rating (--target names another)\n"
                           "validation: 500 examples held out\n"
                           "model: fm, 8 factors; regression, adam, rate 0.003, l2-w 0.001, l2-v 0.01; 1024 rows a "
                           "step; seed 1\n"
                           "epoch       train mse       valid mse  examples/s\n"));
  CHECK(done.out.find("best epoch: ") != std::string::npos);
  CHECK(done.out.ends_with("The model is not kept: --model FILE keeps it.\n"));
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

TEST_CASE("evaluate agrees with train, and says the metrics of the task") {
  const Folder folder;
  train_clicks(folder, {"--valid", "clicks.csv"});
  const auto evaluated = nlohmann::json::parse(run_fm(folder, {"evaluate", "m", "clicks.csv", "--json"}).out);
  const auto inspected = nlohmann::json::parse(run_fm(folder, {"inspect", "m", "--json"}).out);
  CHECK(evaluated["examples"] == 10);
  CHECK(evaluated["log loss"] == inspected["metrics"]["validation log loss"]);
  CHECK(inspected["task"] == "binary");
  CHECK(inspected["strongest_features"].size() == 6);
  CHECK(inspected["strongest_pairs"].size() == 10);
  std::istringstream predictions(run_fm(folder, {"predict", "m", "clicks.csv"}).out);
  double loss = 0, p = 0;
  for (const double y : {1, 0, 1, 0, 1, 0, 1, 0, 1, 0}) {
    predictions >> p;
    loss -= std::log(y == 1 ? p : 1 - p) / 10;
  }
  CHECK(loss == doctest::Approx(evaluated["log loss"].get<double>()).epsilon(1e-6));
}

TEST_CASE("predictions are clipped on request alone") {
  const Folder folder;
  write_text(folder / "steep.csv", "x,y\n1,1\n2,2\n3,3\n4,4\n");
  write_text(folder / "far.csv", "x\n100\n-100\n");
  const Words words{"train",  "steep.csv",   "--model", "m",      "--numeric", "x",      "--kind",
                    "linear", "--optimizer", "adagrad", "--rate", "1",         "--task", "regression"};
  REQUIRE(run_fm(folder, words).code == 0);
  std::istringstream free(run_fm(folder, {"predict", "m", "far.csv"}).out);
  double high = 0, low = 0;
  free >> high >> low;
  CHECK(high > 4);
  CHECK(low < 1);
  Words clipped = words;
  clipped.emplace_back("--clip-predictions");
  REQUIRE(run_fm(folder, clipped).code == 0);
  CHECK(run_fm(folder, {"predict", "m", "far.csv"}).out == "4\n1\n");
}

TEST_CASE("weights count, from a column and from a file alike") {
  const Folder folder;
  write_text(folder / "column.csv", "x,w,y\na,1,0\na,3,4\nb,2,1\nb,0,9\n");
  write_text(folder / "plain.csv", "x,y\na,0\na,4\nb,1\nb,9\n");
  write_text(folder / "weights", "1\n3\n2\n0\n");
  const Words words{"--model", "m", "--kind", "linear", "--epochs", "2", "--batch", "0"};
  const auto model = [&](Words first) {
    first.insert(first.end(), words.begin(), words.end());
    const Finished done = run_fm(folder, first);
    REQUIRE_MESSAGE(done.code == 0, done.err);
    return run_fm(folder, {"predict", "m", "plain.csv"}).out;
  };
  const std::string by_column = model({"train", "column.csv", "--weight", "w"});
  CHECK(model({"train", "plain.csv", "--weights", "weights"}) == by_column);
  CHECK(model({"train", "plain.csv"}) != by_column);
  write_text(folder / "none", "0\n0\n0\n0\n");
  CHECK(said(folder, {"train", "plain.csv", "--weights", "none"}) ==
        "1: fm: plain.csv: all weights are 0, so no example counts\n");
}

TEST_CASE("a cache trains and is predicted as the file it was made of") {
  const Folder folder;
  train_clicks(folder);
  const std::string model = text_of(folder / "m");
  CHECK(said(folder, {"convert", "clicks.csv", "--out", "clicks.cache"}) ==
        "0: target: clicked (--target names another)\nclicks.cache: 10 examples, 6 features\n");
  CHECK(run_fm(folder, {"train", "clicks.cache", "--model", "m2", "--epochs", "3", "--quiet"}).code == 0);
  const std::string predictions = run_fm(folder, {"predict", "m", "clicks.csv"}).out;
  CHECK(run_fm(folder, {"predict", "m2", "clicks.csv"}).out == predictions);
  CHECK(run_fm(folder, {"predict", "m2", "clicks.cache"}).out == predictions);
  write_text(folder / "new.csv", "user,item,age,clicked\nz,x,20,1\n");
  CHECK(said(folder, {"convert", "new.csv", "--model", "m", "--out", "new.cache"}) ==
        "0: new.cache: 1 examples, 6 features\n  never seen in training, so left out: 1\n");
  CHECK(run_fm(folder, {"predict", "m", "new.cache"}).out == run_fm(folder, {"predict", "m", "new.csv"}).out);
  REQUIRE(run_fm(folder, {"convert", "new.csv", "--out", "other.cache"}).code == 0);
  CHECK(said(folder, {"predict", "m", "other.cache"}) ==
        "1: fm: other.cache: has other columns than the model; make it by fm convert --model\n");
  CHECK(said(folder, {"train", "clicks.cache", "--target", "age"}) ==
        "1: fm: clicks.cache: columns are named, but those of a cache were chosen when it was made\n");
  std::string bytes = text_of(folder / "clicks.cache");
  write_text(folder / "clicks.cache", bytes.substr(0, bytes.size() / 2));
  CHECK(run_fm(folder, {"train", "clicks.cache"}).code == 1);
}

TEST_CASE("rankings learn whom to show what") {
  const Folder folder;
  // User u takes items of its own kind alone.
  std::string taken = "user,item,rating\n";
  for (int u = 0; u < 40; ++u)
    for (int i = 0; i < 30; ++i)
      if (i % 3 == u % 3 && (u * 7 + i) % 4 != 0) taken += fmt::format("u{},i{},1\n", u, i);
  write_text(folder / "taken.csv", taken);
  const Words words{"train", "taken.csv", "--task", "ranking", "--model", "m", "--rate", "0.02", "--batch", "64"};
  REQUIRE(run_fm(folder, words).code == 0);
  const auto json = nlohmann::json::parse(run_fm(folder, {"evaluate", "m", "taken.csv", "--json"}).out);
  CHECK(json["auc"] > 0.95);
  write_text(folder / "new.csv", "user,item\nu0,i0\nu0,i1\nu1,i0\nu1,i1\n");
  std::istringstream scores(run_fm(folder, {"predict", "m", "new.csv"}).out);
  double own0 = 0, other0 = 0, other1 = 0, own1 = 0;
  scores >> own0 >> other0 >> other1 >> own1;
  CHECK(own0 > other0);
  CHECK(own1 > other1);
  Words named = words;
  named.insert(named.end(), {"--item", "thing"});
  CHECK(said(folder, named) ==
        "1: fm: taken.csv: there is no column \"thing\" that could be the item's; --item names it\n");
  write_text(folder / "plain.svm", "1 1:1 2:1\n0 2:1\n");
  CHECK(said(folder, {"train", "plain.svm", "--task", "ranking"}) ==
        "1: fm: plain.svm: a ranking has to know which columns are the item's, but columns of libsvm have no names\n");
}

TEST_CASE("columns are scaled on request, and the model keeps how") {
  const Folder folder;
  write_text(folder / "n.csv", "a,b,y\n1000,x,1\n2000,y,3\n1500,x,2\n100,z,0\n500,z,1\n");
  const auto predictions = [&](const std::string& file, const Words& more) {
    Words words{"train", file, "--model", "m", "--epochs", "20", "--task", "regression", "--valid-fraction", "0"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished done = run_fm(folder, words);
    REQUIRE_MESSAGE(done.code == 0, done.err);
    return run_fm(folder, {"predict", "m", file}).out;
  };
  const std::string scaled = predictions("n.csv", {"--normalize"});
  // By the greatest number, which is 2000.
  write_text(folder / "by_hand.csv", "a,b,y\n0.5,x,1\n1,y,3\n0.75,x,2\n0.05,z,0\n0.25,z,1\n");
  CHECK(predictions("by_hand.csv", {}) == scaled);
  CHECK(predictions("n.csv", {}) != scaled);
}

TEST_CASE("logs and a page are written, and models are exported") {
  const Folder folder;
  train_clicks(folder, {"--log", "log.jsonl", "--tensorboard", "curves", "--report", "page.html"});
  std::istringstream log(text_of(folder / "log.jsonl"));
  std::vector<nlohmann::json> events;
  for (std::string line; std::getline(log, line);) events.push_back(nlohmann::json::parse(line));
  REQUIRE(events.size() == 5);
  CHECK(events[0]["event"] == "start");
  CHECK(events[0]["options"]["epochs"] == 3);
  CHECK(events[3]["epoch"] == 3);
  CHECK(events[4]["event"] == "end");
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "curves"), {}) == 1);
  const std::string page = text_of(folder / "page.html");
  CHECK(page.find("<svg") != std::string::npos);
  CHECK(page.find("fm train clicks.csv --model m") != std::string::npos);
  CHECK(said(folder, {"export", "m", "--onnx", "m.onnx"}) == "0: m.onnx: X [n, 6] -> prediction [n, 1]\n");
  CHECK(said(folder, {"export", "m"}) == "2: fm: --onnx is required (see fm export --help)\n");
  CHECK(said(folder, {"train", "clicks.csv", "--report", "nowhere/page.html"}) ==
        "1: fm: nowhere/page.html: cannot be written: No such file or directory\n");
}

TEST_CASE("Criteo's sample trains in every kind that has use for fields") {
  const std::filesystem::path data = data_folder("criteo-small");
  if (!std::filesystem::exists(data)) {
    MESSAGE("skipped: criteo-small is not there");
    return;
  }
  const Folder folder;
  for (const std::string kind : {"fm", "field-aware", "deep"}) {
    const Finished done =
        run_fm(folder, {"train", data / "small_train.txt", "--valid", data / "small_test.txt", "--kind", kind,
                        "--factors", "4", "--sum-duplicates", "--keep-first-field", "--epochs", "3", "--json"});
    REQUIRE_MESSAGE(done.code == 0, done.err);
    CHECK(nlohmann::json::parse(done.out)["metrics"]["validation log loss"] < 0.6);
  }
}

TEST_CASE("cross-validation and search print their tables") {
  const Folder folder;
  write_text(folder / "r", ratings_text({.count = 3000, .users = 40, .items = 60}));
  const auto folds = nlohmann::json::parse(
      run_fm(folder, {"train", "r", "--format", "movielens", "--cv", "3", "--epochs", "5", "--json"}).out)["folds"];
  REQUIRE(folds.size() == 3);
  for (const auto& fold : folds) CHECK(fold["examples"] == 1000);
  const Finished text = run_fm(folder, {"train", "r", "--format", "movielens", "--cv", "3", "--epochs", "5"});
  CHECK(text.out.find("\npart 3: 1000 examples, ") != std::string::npos);
  CHECK(text.out.find("\nmean:  mse ") != std::string::npos);

  const auto found =
      nlohmann::json::parse(run_fm(folder, {"train", "r", "--format", "movielens", "--search", "--json"}).out);
  const auto& search = found["search"];
  REQUIRE(search.size() == 27);
  CHECK(search[0]["epochs"] == 18);
  CHECK(search[0]["rate"] == found["options"]["rate"]);
  CHECK(search[0]["factors"] == found["options"]["factors"]);
  CHECK(search[0]["l2"] == found["options"]["l2-v"]);
  CHECK(search[26]["epochs"] == 2);
}

TEST_CASE("MovieLens-1M's shape: the whole command, its memory and its time") {
  const Folder folder;
  write_text(folder / "ratings.libfm", ratings_text(movielens_1m(RatingsForm::libfm)));
  const Finished done =
      run_fm(folder, {"train", "ratings.libfm", "--factors", "20", "--optimizer", "adagrad", "--epochs", "1",
                      "--valid-fraction", "0", "--l2-w", "0", "--l2-v", "0", "--json"});
  REQUIRE(done.code == 0);
  MESSAGE("peak memory ", done.peak_kib / 1024, " MB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(done.peak_kib < 60 * 1000 * 1000 / 1024);
#endif
}
