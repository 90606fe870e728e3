// What the commands of `fm` do: predictions, evaluations, weights, caches, rankings, logs, exports.
#include "../data_folder.h"
#include "clicks.h"
#include "ratings_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <sstream>

using namespace gradus;

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
        "1: fm: other.cache: has other columns than the model; fm convert --model makes one that fits\n");
  CHECK(said(folder, {"train", "clicks.cache", "--target", "age"}) ==
        "1: fm: clicks.cache: columns are named, but those of a cache were chosen when it was made\n");
  std::string bytes = text_of(folder / "clicks.cache");
  write_text(folder / "clicks.cache", bytes.substr(0, bytes.size() / 2));
  CHECK(run_fm(folder, {"train", "clicks.cache"}).code == 1);
  write_text(folder / "old.cache", "gradusdc and what was behind it in the first version");
  CHECK(said(folder, {"train", "old.cache"}) ==
        "1: fm: old.cache: is a cache of version 1; fm convert DATA --out CACHE makes a new one of the data\n");
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

TEST_CASE("columns are scaled where they need it or on request, and the model keeps how") {
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
  CHECK(predictions("by_hand.csv", {"--no-normalize"}) == scaled);
  CHECK(predictions("n.csv", {"--no-normalize"}) != scaled);
  // Not told: by the root mean square.
  CHECK(predictions("n.csv", {}) != scaled);
  CHECK(run_fm(folder, {"train", "n.csv"})
            .out.find("\ndivided: a by 1226 (--no-normalize leaves columns as they are)\n") != std::string::npos);
  CHECK(run_fm(folder, {"train", "n.csv", "--no-normalize", "--valid-fraction", "0"}).out.find("divided") ==
        std::string::npos);

  // From a cache, also by blocks, and from sparse text: in one batch, so that the order of the rows is none.
  REQUIRE(run_fm(folder, {"convert", "n.csv", "--out", "n.cache"}).code == 0);
  CHECK(predictions("n.cache", {"--normalize"}) == scaled);
  CHECK(predictions("n.cache", {"--normalize", "--stream-above", "0"}) == scaled);
  write_text(folder / "n.svm", "1 1:1000 2:1\n3 1:2000 3:-4\n2 1:1500 2:1\n0 1:100 4:0\n1 1:500\n");
  write_text(folder / "by_hand.svm", "1 1:0.5 2:1\n3 1:1 3:-1\n2 1:0.75 2:1\n0 1:0.05 4:0\n1 1:0.25\n");
  const std::string sparse = predictions("n.svm", {"--normalize"});
  CHECK(predictions("by_hand.svm", {"--no-normalize"}) == sparse);
  CHECK(predictions("n.svm", {}) != sparse);
  REQUIRE(run_fm(folder, {"convert", "n.svm", "--out", "n.cache", "--block-rows", "2"}).code == 0);
  CHECK(predictions("n.cache", {"--normalize"}) == sparse);
  // The scale is of the rows to train with, and held-out rows are divided by it as well.
  const Finished held_out = run_fm(folder, {"train", "n.cache", "--model", "m", "--normalize", "--stream-above", "0",
                                            "--valid-fraction", "0.4", "--epochs", "2", "--json"});
  REQUIRE_MESSAGE(held_out.code == 0, held_out.err);
  const auto run = nlohmann::json::parse(held_out.out);
  CHECK(run["validation_examples"] == 2);
  CHECK(run["history"][0]["validation"] < 100);
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
  CHECK(said(folder, {"export", "m"}) ==
        "2: fm: --onnx or --c-header names the file to write; neither is given (see fm export --help)\n");
  CHECK(said(folder, {"train", "clicks.csv", "--report", "nowhere/page.html"}) ==
        "1: fm: nowhere/page.html: cannot be written: No such file or directory\n");
}

TEST_CASE("the training of the first rows can be watched") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks);
  for (const std::string kind : {"linear", "fm", "field-aware"}) {
    const std::string out =
        said(folder, {"train", "clicks.csv", "--epochs", "1", "--kind", kind, "--walkthrough", "page.html"});
    CHECK_MESSAGE(out.find("walkthrough: page.html: 8 rows and the 6 features that they hold, trained by themselves "
                           "for 200 steps\n") != std::string::npos,
                  out);
    CHECK(text_of(folder / "page.html").find("\"format\":\"gradus-walkthrough\"") != std::string::npos);
  }
  CHECK(said(folder, {"train", "clicks.csv", "--target", "clicked", "--task", "ranking", "--walkthrough", "x"}) ==
        "1: fm: --walkthrough shows no training for ranking; --task names another\n");
}

TEST_CASE("Criteo's sample trains in every kind that has use for fields") {
  const std::filesystem::path data = data_folder("criteo-small");
  if (!std::filesystem::exists(data)) {
    MESSAGE("skipped: criteo-small is not there");
    return;
  }
  const Folder folder;
  for (const std::string kind : {"linear", "fm", "field-aware", "deep"}) {
    CAPTURE(kind);
    // Its indices are hashes, which some features of two fields share: that matters where a model goes by fields.
    std::vector<std::string> command{"train",       data / "small_train.txt",
                                     "--valid",     data / "small_test.txt",
                                     "--kind",      kind,
                                     "--factors",   "4",
                                     "--model",     "m",
                                     "--overwrite", "--epochs",
                                     "3",           "--json"};
    if (kind == "linear") command.erase(command.begin() + 6, command.begin() + 8);
    Finished done = run_fm(folder, command);
    if (kind == "field-aware" || kind == "deep") {
      CHECK(done.code == 1);
      CHECK(done.err.starts_with("fm: " + (data / "small_train.txt").string() + ":"));
      CHECK(done.err.find(" is there twice, in fields ") != std::string::npos);
      CHECK(done.err.ends_with("; --keep-first-field adds up its values in the first\n"));
      command.emplace_back("--keep-first-field");
      done = run_fm(folder, command);
    }
    REQUIRE_MESSAGE(done.code == 0, done.err);
    CHECK(nlohmann::json::parse(done.out)["metrics"]["validation log loss"] < 0.6);
    command = {"predict", "m", data / "small_test.txt", "--out", "told"};
    if (kind == "field-aware" || kind == "deep") command.emplace_back("--keep-first-field");
    CHECK(run_fm(folder, command).code == 0);
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

  const auto found = nlohmann::json::parse(
      run_fm(folder, {"train", "r", "--format", "movielens", "--search", "--json", "--patience", "3"}).out);
  const auto& search = found["search"];
  REQUIRE(search.size() == 27);
  CHECK(search[0]["epochs"] == 18);
  CHECK(search[0]["rate"] == found["options"]["rate"]);
  CHECK(search[0]["factors"] == found["options"]["factors"]);
  CHECK(search[0]["l2"] == found["options"]["l2-v"]);
  CHECK(search[26]["epochs"] == 2);
}
