// fm train --implicit and --join: what is said of the columns, what the model keeps and tells, and what is refused.
#include "interrupted.h"
#include "ratings_text.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <sstream>

using namespace gradus;

namespace {

constexpr int users = 40;

const std::vector<std::string> joins = {"--implicit", "user:item", "--implicit", "item:user", "--join", "u.user",
                                        "--on",       "user",      "--join",     "u.item",    "--on",   "item"};

void write_ratings(const Folder& folder) {
  write_text(folder / "ratings", ratings_text({.count = 600, .users = users, .items = 30}));
  write_text(folder / "others", ratings_text({.count = 200, .users = users, .items = 30, .seed = 2}));
  std::string of_users = users_text(users);
  of_users.erase(of_users.find("3|"), of_users.find("4|") - of_users.find("3|"));  // there is none of user 3
  write_text(folder / "u.user", of_users);
  write_text(folder / "u.item", items_text(30));
}

std::vector<double> numbers_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<double> out;
  for (double x = 0; in >> x;) out.push_back(x);
  return out;
}

}  // namespace

TEST_CASE("columns that are joined and implicit are learnt from, kept, and told of") {
  const Folder folder;
  write_ratings(folder);
  const Finished done = run_fm(folder, with({"train", "ratings", "--format", "movielens", "--model", "m", "--epochs",
                                             "5", "--no-refit", "--test", "others"},
                                            joins));
  REQUIRE_MESSAGE(done.code == 0, done.err);
  const auto says = [&](const std::string& line) { return done.out.find(line + "\n") != std::string::npos; };
  CHECK(says("joined: u.user: 10 features (7 age, 2 gender, 1 occupation) of 40 user, 1 of which is not there"));
  CHECK(says("  age (category: 7 different)"));
  CHECK(says("  zip (left out)"));
  CHECK(says("joined: u.item: 18 features (18 genre) of 30 item"));
  const std::size_t implicit = done.out.find("implicit: 40 user x 30 item, ");
  REQUIRE(implicit != std::string::npos);
  const std::string entries = done.out.substr(implicit + 29, done.out.find(" entries", implicit) - implicit - 29);
  CHECK(says("implicit: 30 item x 40 user, " + entries + " entries"));

  const Finished shown = run_fm(folder, {"inspect", "m", "--feature", "genre=Comedy", "--count", "2"});
  CHECK(shown.out.find("implicit: 40 user x 30 item, " + entries + " entries\n") != std::string::npos);
  CHECK(shown.out.find("  genre=") != std::string::npos);
  const auto json = nlohmann::json::parse(run_fm(folder, {"inspect", "m", "--json"}).out);
  REQUIRE(json["relations"].size() == 4);
  CHECK(json["relations"][0]["table"] == "u.user");
  CHECK(json["relations"][2]["implicit"] == "item");

  const std::size_t test = done.out.find("test: others: 200 examples: ");
  REQUIRE(test != std::string::npos);
  const std::string metrics = done.out.substr(test + 28, done.out.find('\n', test) - test - 28);
  CHECK(run_fm(folder, {"evaluate", "m", "others"}).out.find(metrics + "\n") != std::string::npos);
  CHECK(numbers_of(run_fm(folder, {"predict", "m", "others"}).out).size() == 200);
  CHECK(run_fm(folder, {"export", "m", "--onnx", "m.onnx", "--c-header", "m.h"}).code == 0);

  // With nothing joined, and nothing of it left behind.
  REQUIRE(run_fm(folder, {"train", "ratings", "--format", "movielens", "--model", "m", "--epochs", "5"}).code == 0);
  CHECK(nlohmann::json::parse(run_fm(folder, {"inspect", "m", "--json"}).out)["relations"].empty());
}

TEST_CASE("a table of one's own is joined by its columns' names, and its large numbers are divided") {
  const Folder folder;
  write_text(folder / "ratings.csv",
             ratings_text({.count = 600, .users = users, .items = 30, .form = RatingsForm::csv}));
  std::string text = "income;user;hobbies\n";
  for (int user = 1; user <= users; ++user) text += fmt::format("{}.5;u{};a|{}\n", 1000 * user, user, user % 4);
  write_text(folder / "users.csv", text);
  const Finished done = run_fm(folder, {"train", "ratings.csv", "--join", "users.csv", "--on", "user", "--multi",
                                        "hobbies", "--epochs", "3", "--model", "m", "--report", "page.html"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(done.out.find("joined: users.csv: 6 features (income, 5 hobbies) of 40 user\n") != std::string::npos);
  CHECK(done.out.find("  divided: income by ") != std::string::npos);
  CHECK(run_fm(folder, {"train", "ratings.csv", "--join", "users.csv", "--on", "user", "--cv", "3", "--implicit",
                        "user:item", "--epochs", "2"})
            .code == 0);
  CHECK(text_of(folder / "page.html").find("users.csv") != std::string::npos);
}

TEST_CASE("a training with joined columns that is interrupted ends with the bits of one that never stopped") {
  const Folder folder;
  write_ratings(folder);
  check_interrupted(folder,
                    with({"train", "ratings", "--format", "movielens", "--model", "m", "--epochs", "40", "--patience",
                          "0", "--l2-v", "0.001", "--checkpoint-every", "2"},
                         joins),
                    1, {SIGKILL});
  for (const std::string learner : {"mcmc", "als"}) {
    CAPTURE(learner);
    std::filesystem::remove(folder / "m");
    const std::vector<std::string> training{"train",    "ratings", "--format",           "movielens",
                                            "--model",  "m",       "--learner",          learner,
                                            "--epochs", "20",      "--checkpoint-every", "2"};
    check_interrupted(
        folder,
        with(with(training, learner == "als" ? std::vector<std::string>{"--patience", "0", "--l2-v", "0.1"}
                                             : std::vector<std::string>{"--samples", "5"}),
             joins),
        1, {learner == "als" ? SIGINT : SIGKILL});
  }
  // A state of other implicit columns is not gone on with.
  const std::vector<std::string> training = {
      "train",      "ratings", "--format", "movielens", "--model",    "m",         "--epochs",           "200",
      "--patience", "0",       "--l2-v",   "0.001",     "--implicit", "user:item", "--checkpoint-every", "1"};
  Running program(folder, training);
  REQUIRE(program.prints("\n   20 "));
  program.send(SIGKILL);
  program.wait();
  std::vector<std::string> other = with(training, {"--resume"});
  other[13] = "item:user";
  CHECK(run_fm(folder, other).err.starts_with("fm: m.checkpoint: is of a training"));
}

TEST_CASE("joins that cannot be are refused by name") {
  const Folder folder;
  write_ratings(folder);
  write_text(folder / "twice.csv", "user,age\n1,20\n2,30\n1,40\n");
  write_text(folder / "rating.csv", "user,rating\n1,20\n2,30\n");
  write_text(folder / "age.csv", "item,gender\n1,x\n2,y\n");
  write_text(folder / "text.libsvm", "1 1:1\n0 2:1\n2 1:1\n");
  const auto refused = [&](const std::vector<std::string>& more, const std::string& what, int code = 1) {
    const Finished done = run_fm(folder, with({"train", "ratings", "--format", "movielens"}, more));
    CHECK(done.code == code);
    CHECK(done.err == "fm: " + what + (code == 2 ? " (see fm train --help)\n" : "\n"));
  };
  refused({"--implicit", "user"}, "--implicit is \"user\"; two columns are expected, as user:item", 2);
  refused({"--implicit", "user:item,user:item"}, "--implicit is user:item twice", 2);
  refused({"--implicit", "user:film"}, "ratings: --implicit user:film goes by column \"film\", which is not there");
  refused({"--implicit", "user:timestamp"},
          "ratings: --implicit user:timestamp goes by column \"timestamp\", which is ignored; a categorical one is "
          "expected");
  refused(
      {"--implicit", "user:item", "--hash-bits", "8"},
      "ratings: --implicit user:item goes by column \"user\", whose categories are hashed; --hash-bits 0 tells them "
      "apart");
  refused({"--implicit", "user:item", "--kind", "deep"},
          "--implicit is user:item, but a deep model cannot have such columns; linear and fm can", 2);
  refused({"--join", "twice.csv"}, "--join names 1 table but --on 0 columns; one column for each table is expected", 2);
  refused({"--join", "twice.csv", "--on", "user", "--kind", "field-aware"},
          "--join adds columns by way of others, which linear and fm can have, but not field-aware", 2);
  refused({"--implicit", "user:item", "--walkthrough", "page.html"},
          "--walkthrough shows no columns that are joined or implicit", 2);
  refused({"--join", "twice.csv", "--on", "user"},
          "twice.csv: has user \"1\" twice, in records 1 and 3; one is expected");
  refused({"--join", "twice.csv", "--on", "item"},
          "twice.csv: has no column \"item\"; the columns are \"user\", \"age\"");
  refused({"--join", "u.item", "--on", "user"}, "u.item: has no column \"user\"; the columns are \"item\", \"genre\"");
  refused({"--join", "nowhere.csv", "--on", "user"}, "nowhere.csv: cannot be read: No such file or directory");
  refused({"--join", "rating.csv", "--on", "user"},
          "rating.csv: has a column \"rating\", as ratings has; one of them is to be called otherwise");
  refused({"--join", "u.user", "--on", "user", "--join", "age.csv", "--on", "item"},
          "age.csv: has a column \"gender\", as u.user has; one of them is to be called otherwise");
  refused({"--join", "text.libsvm", "--on", "user"},
          "text.libsvm: is to be joined, but columns of libsvm have no names");
  const Finished sparse = run_fm(folder, {"train", "text.libsvm", "--implicit", "user:item"});
  CHECK(sparse.err.find("--implicit is user:item, but its columns have no names\n") != std::string::npos);
}
