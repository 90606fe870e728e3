// The small files of people's reports (../shared/cases): what is right for each is told in its README. They are not
// part of the project; where they are absent the tests say so.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "../data_folder.h"
#include "run_program.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace gradus {
namespace {

using Words = std::vector<std::string>;

std::string case_file(const std::string& name) {
  const std::filesystem::path file = (data_folder("") / "../cases" / name).lexically_normal();
  return std::filesystem::exists(file) ? file.string() : "";
}

bool are_there() {
  if (!case_file("README.md").empty()) return true;
  MESSAGE("skipped: the cases are not there");
  return false;
}

// What a training of few epochs says; its model is m.
Finished trained(const Folder& folder, const std::string& file, Words more = {}) {
  more.insert(more.begin(), {"train", file, "--model", "m", "--epochs", "2", "--quiet"});
  return run_fm(folder, more);
}

bool says(const std::string& text, const std::string& what) { return text.find(what) != std::string::npos; }

}  // namespace

TEST_CASE("cases 01: a first line of numbers is no header") {
  if (!are_there()) return;
  const Folder folder;
  for (const char* const name : {"train.csv", "unique_first.csv", "triples.csv"}) {
    const Finished refused = trained(folder, case_file(std::string("01-headerless-label-first/") + name));
    CHECK(refused.code == 1);
    CHECK_MESSAGE(says(refused.err, "--no-header"), refused.err);
  }
  const std::string triples = case_file("01-headerless-label-first/triples.csv");
  const Finished done = trained(folder, triples, {"--no-header"});
  CHECK_MESSAGE(done.code == 0, done.err);
  CHECK(says(done.out, "target: 3 "));
  CHECK(run_fm(folder, {"predict", "m", triples}).code == 0);
}

TEST_CASE("cases 02: timestamps are told from amounts") {
  if (!are_there()) return;
  const Folder folder;
  const Finished ratings = trained(folder, case_file("02-timestamp-column/ratings.csv"));
  CHECK(says(ratings.out, ": movielens, "));
  const std::string renamed = case_file("02-timestamp-column/renamed.csv");
  const Finished done = run_fm(folder, {"convert", renamed, "--out", "c"});
  CHECK_MESSAGE(says(done.out, "target: stars"), (done.out + done.err));
}

TEST_CASE("cases 04: sparse text in many hands") {
  if (!are_there()) return;
  const Folder folder;
  const auto sparse = [](const std::string& name) { return case_file("04-sparse-text-oddities/" + name); };
  REQUIRE(trained(folder, sparse("t.svm")).code == 0);
  const std::string model = text_of(folder / "m");
  const std::string predictions = run_fm(folder, {"predict", "m", sparse("t.svm")}).out;
  for (const char* const name : {"nolabel.svm", "bare_all.svm"})
    CHECK_MESSAGE(run_fm(folder, {"predict", "m", sparse(name)}).out == predictions, name);
  for (const char* const name : {"crlf.svm", "bom.svm", "tabs.svm", "blank.svm", "comments.svm", "unordered.svm"}) {
    REQUIRE_MESSAGE(trained(folder, sparse(name)).code == 0, name);
    CHECK_MESSAGE(text_of(folder / "m") == model, name);
  }
  for (const char* const name : {"barevalue.svm", "dup.svm", "negidx.svm", "nan.svm", "empty.svm", "qid.svm"}) {
    const Finished refused = trained(folder, sparse(name));
    CHECK_MESSAGE(refused.code == 1, name);
    CHECK_MESSAGE(says(refused.err, name), refused.err);
  }
  for (const char* const name : {"big.svm", "big30.svm", "big40.svm", "hash64.svm"}) {
    const Finished done = trained(folder, sparse(name));
    CHECK_MESSAGE(says(done.out, " 14 features"), (done.out + done.err));
    const Finished told = run_fm(folder, {"predict", "m", sparse(name)});
    CHECK(told.code == 0);
    CHECK(told.err.empty());  // nothing was unknown
    const auto evaluated = [&](const std::string& file) {
      const std::string out = run_fm(folder, {"evaluate", "m", file}).out;
      return out.substr(std::min(out.find('\n'), out.size()));
    };
    const std::string of_text = evaluated(sparse(name));
    REQUIRE(run_fm(folder, {"convert", sparse(name), "--out", "c"}).code == 0);
    CHECK(evaluated("c") == of_text);  // a cache keeps what was renumbered
    REQUIRE(trained(folder, "c").code == 0);
    CHECK(evaluated(sparse(name)) == of_text);
    CHECK(says(run_fm(folder, {"convert", sparse("t.svm"), "--out", "t", "--model", "m"}).out, "left out: 200"));
    REQUIRE(run_fm(folder, {"convert", sparse("t.svm"), "--out", "t"}).code == 0);
    CHECK(says(run_fm(folder, {"evaluate", "m", "t"}).err, "has other columns than the model"));
    CHECK(says(trained(folder, sparse(name), {"--hash-bits", "6"}).out, " 64 features"));
    const std::string of_hashed = evaluated(sparse(name));
    CHECK(says(run_fm(folder, {"evaluate", "m", "c"}).err, "has other columns than the model"));
    REQUIRE(run_fm(folder, {"convert", sparse(name), "--out", "c", "--hash-bits", "6"}).code == 0);
    CHECK(evaluated("c") == of_hashed);
    REQUIRE(trained(folder, "c").code == 0);
    CHECK(evaluated(sparse(name)) == of_hashed);
  }
  for (const char* const name : {"label12.svm", "tf.csv", "yn.csv"})
    CHECK_MESSAGE(says(trained(folder, sparse(name)).out, "; binary, "), name);
  REQUIRE(trained(folder, sparse("label12.svm")).code == 0);
  CHECK(run_fm(folder, {"evaluate", "m", sparse("label12.svm")}).code == 0);
  CHECK(run_fm(folder, {"evaluate", "m", sparse("t.svm")}).code == 1);
  const Finished alone = trained(folder, sparse("allone.svm"));
  CHECK(alone.code == 1);
  CHECK_MESSAGE(says(alone.err, "--task ranking"), alone.err);
}

TEST_CASE("cases 05: tables in many hands") {
  if (!are_there()) return;
  const Folder folder;
  const auto table = [](const std::string& name) { return case_file("05-csv-oddities/" + name); };
  const auto out = [&](const std::string& name, const Words& more = {}) {
    const Finished done = trained(folder, table(name), more);
    return done.out + done.err;
  };
  const std::string price = "price (numeric: 9.99 to 1200, 69 missing)";
  for (const char* const name : {"na.csv", "nan.csv", "null.csv", "dollar.csv", "thousand.csv", "index.csv",
                                 "quoted.csv", "bom_crlf.csv", "trailing.csv", "semi_dot.csv"})
    CHECK_MESSAGE(says(out(name), price), name);
  CHECK(says(out("semi.csv"),
             "semi.csv:2: column \"price\": \"9,99\" is a number if commas are decimal marks: say "
             "--decimal ,"));
  CHECK(says(out("semi.csv", {"--decimal", ","}), price));
  CHECK(says(out("index.csv"), "\"\" (left out: nameless, counts the rows)"));
  CHECK(says(out("spaces.csv"), "(5 who, 2 what, price)"));
  CHECK(says(out("genres.csv", {"--multi", "genres"}), "genres (category: values separated by \"|\", 5 different)"));
  CHECK(says(out("dates.csv"), "nearly each row has a category of its own"));
  CHECK(says(out("utf16.csv"), "UTF-16"));
  CHECK(says(out("latin1.csv"), "latin1.csv:5: column \"who\": \"Zo\\xeb\" is not UTF-8"));
  CHECK(says(out("missing_target.csv"), "missing_target.csv:7: column \"stars\""));
  // The words for nothing are what empty cells are.
  REQUIRE(trained(folder, table("e_train.csv")).code == 0);
  const std::string of_empty = run_fm(folder, {"evaluate", "m", table("e_test.csv")}).out;
  const std::string told = run_fm(folder, {"predict", "m", table("newna.csv")}).out;
  REQUIRE(trained(folder, table("na_train.csv")).code == 0);
  const std::string of_words = run_fm(folder, {"evaluate", "m", table("na_test.csv")}).out;
  CHECK(of_words.substr(of_words.find('\n')) == of_empty.substr(of_empty.find('\n')));
  CHECK(run_fm(folder, {"predict", "m", table("newna.csv")}).out == told);
  CHECK(says(out("late_na.csv"), "price (numeric: "));
}

TEST_CASE("cases 07: what cannot be gone on with leaves the model alone") {
  if (!are_there()) return;
  const Folder folder;
  REQUIRE(trained(folder, case_file("07-warm-start-new-users/week1.csv")).code == 0);
  const std::string model = text_of(folder / "m");
  const Finished refused = trained(folder, case_file("07-warm-start-new-users/week2.csv"), {"--resume"});
  CHECK(refused.code == 1);
  CHECK_MESSAGE(says(refused.err, "m.checkpoint: is not there"), refused.err);
  CHECK(text_of(folder / "m") == model);
  // New users and items have no features of their own, which is said.
  const Finished told = run_fm(folder, {"evaluate", "m", case_file("07-warm-start-new-users/week2.csv")});
  CHECK(told.code == 0);
  CHECK_MESSAGE(says(told.out, "never seen in training, so left out: 3 customer_id, 1 product_id"), told.out);
}

TEST_CASE("cases 07: week 2 is learnt on top of week 1, and folded into it") {
  if (!are_there()) return;
  const Folder folder;
  const std::string week1 = case_file("07-warm-start-new-users/week1.csv"),
                    week2 = case_file("07-warm-start-new-users/week2.csv");
  REQUIRE(run_fm(folder, {"train", week1, "--model", "m", "--l2-v", "0.0003", "--quiet"}).code == 0);
  REQUIRE(run_fm(folder, {"train", week2, "--from", "m", "--model", "on_top", "--quiet"}).code == 0);
  REQUIRE(run_fm(folder, {"update", "m", week2, "--output", "folded"}).code == 0);
  // The mean squared error on the rows of new customers and of those known from week 1.
  const auto errors = [&](const std::string& model) {
    double error[2] = {}, rows[2] = {};
    const Finished done = run_fm(folder, {"evaluate", model, week2, "--by", "customer_id", "--json"});
    const Finished known = run_fm(folder, {"evaluate", "m", week1, "--by", "customer_id", "--json"});
    std::set<std::string> of_week1;
    const auto before = nlohmann::json::parse(known.out);
    for (const auto& each : before["by"]["values"]) of_week1.insert(each["value"].get<std::string>());
    const auto json = nlohmann::json::parse(done.out);
    for (const auto& each : json["by"]["values"]) {
      const int old = of_week1.contains(each["value"].get<std::string>()) ? 1 : 0;
      error[old] += each["mse"].get<double>() * each["examples"].get<double>();
      rows[old] += each["examples"].get<double>();
    }
    return std::pair(error[0] / rows[0], error[1] / rows[1]);
  };
  const auto [unknown, known] = errors("m");
  for (const std::string model : {"on_top", "folded"}) {
    CAPTURE(model);
    const std::pair<double, double> now = errors(model);
    CHECK(now.first < 0.2 * unknown);
    CHECK(now.second <= known);
  }
}

TEST_CASE("cases 10 and 22: what identifies is a category, whatever it is called") {
  if (!are_there()) return;
  const Folder folder;
  const std::string text = text_of(case_file("10-id-column-names/train.csv"));
  const std::string rows = text.substr(text.find('\n'));
  for (const char* const header :
       {"userid,itemid,quantity,stars", "uid,iid,quantity,stars", "customer,article,quantity,stars"}) {
    write_text(folder / "renamed.csv", header + rows);
    const Finished done = trained(folder, "renamed.csv");
    CHECK_MESSAGE(says(done.out, ", 101 features "), (done.out + done.err));
  }
  CHECK(says(trained(folder, case_file("10-id-column-names/le_train.csv")).out, ", 100 features (60 uid, 40 iid)"));
  const std::string side = trained(folder, case_file("22-movielens-with-side-columns/train.csv")).out;
  CHECK(says(side, "zip_code (category: whole numbers, "));
  CHECK(says(side, "timestamp (numeric: timestamps in seconds, "));
  CHECK(says(side, "age (numeric: 8 to 72)"));
}

TEST_CASE("targets that are words are classes, unless something else is likelier") {
  const Folder folder;
  const auto table = [&](const char* const kinds) {
    std::string text = "size,kind\n";
    for (std::size_t i = 0; i < 60; ++i)
      text += fmt::format("{},{}\n", i % 3, std::string(kinds).substr(3 * (i % 3), 3));
    return text;
  };
  write_text(folder / "words.csv", table("redtanbay"));
  CHECK(says(trained(folder, "words.csv").out, "\nclasses: bay, red, tan\n"));
  CHECK(run_fm(folder, {"predict", "m", "words.csv", "--probabilities"}).out.starts_with("bay,red,tan\n"));
  REQUIRE(run_fm(folder, {"convert", "words.csv", "--out", "c"}).code == 0);
  CHECK(says(trained(folder, "c").out, "; multiclass, "));
  CHECK(says(trained(folder, "c", {"--task", "regression"}).err, "the targets name classes"));
  CHECK(trained(folder, "words.csv", {"--task", "regression"}).err ==
        "fm: words.csv:2: column \"kind\": \"red\" is not a number; --task multiclass takes it for a class\n");
  write_text(folder / "mixed.csv", table("redtan1.5"));
  CHECK(says(trained(folder, "mixed.csv").err, "--task multiclass takes it for a class"));
  write_text(folder / "unknown.csv", table("redtannan"));
  CHECK(says(trained(folder, "unknown.csv").err, "\"nan\" says that nothing is known"));
  CHECK(says(trained(folder, "unknown.csv", {"--task", "multiclass"}).out, "classes: nan, red, tan"));
  write_text(folder / "empty.csv", "a,b\nx,red\ny,\n");
  CHECK(says(trained(folder, "empty.csv", {"--task", "multiclass"}).err, "is empty; a class is expected"));
  write_text(folder / "truth.csv", "a,b\nx,yes\ny,no\nx,no\ny,yes\n");
  CHECK(says(trained(folder, "truth.csv").out, "; binary, "));
  CHECK(trained(folder, "words.csv", {"--stop-by", "auc"}).err ==
        "fm: --stop-by is auc, but the metrics of a multiclass task are log loss, accuracy\n");
}

TEST_CASE("pipes are read once, several files are one, and columns are found by their names") {
  const Folder folder;
  write_text(folder / "a.csv", "user,item,rating\n1,5,3\n2,6,4\n");
  write_text(folder / "b.csv", "rating,item,user\n2,5,2\n1,6,1\n");
  write_text(folder / "ab.csv", "user,item,rating\n1,5,3\n2,6,4\n2,5,2\n1,6,1\n");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const auto through_pipe = [&](const Words& words) {
    std::thread writer([&] { std::ofstream(folder / "pipe") << text_of(folder / "ab.csv"); });
    const Finished done = run_fm(folder, words);
    writer.join();
    return done;
  };
  const Words rest{"--model", "m", "--epochs", "2", "--valid-fraction", "0", "--task", "regression"};
  const auto train = [&](Words words) {
    words.insert(words.end(), rest.begin(), rest.end());
    return words;
  };
  REQUIRE(run_fm(folder, train({"train", "ab.csv"})).code == 0);
  const std::string model = text_of(folder / "m");
  const Finished piped = through_pipe(train({"train", "pipe"}));
  CHECK_MESSAGE(piped.code == 0, piped.err);
  CHECK(text_of(folder / "m") == model);
  REQUIRE(run_fm(folder, train({"train", "a.csv", "b.csv"})).code == 0);
  CHECK(text_of(folder / "m") == model);
  CHECK(through_pipe({"predict", "m", "pipe"}).out == run_fm(folder, {"predict", "m", "ab.csv"}).out);
  // The same rows as MovieLens has them.
  write_text(folder / "u.data", "1\t5\t3\t881250949\n2\t6\t4\t881250949\n2\t5\t2\t881250949\n1\t6\t1\t881250949\n");
  CHECK(run_fm(folder, {"predict", "m", "u.data"}).out == run_fm(folder, {"predict", "m", "ab.csv"}).out);
  REQUIRE(run_fm(folder, train({"train", "u.data"})).code == 0);
  CHECK(run_fm(folder, {"predict", "m", "b.csv"}).code == 0);
  // Four numbers that are no ratings.
  write_text(folder / "four", "1\t5\t30\t7\n2\t6\t40\t8\n");
  CHECK(says(run_fm(folder, {"train", "four"}).err, "nothing but numbers"));
}

}  // namespace gradus
