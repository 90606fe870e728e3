// fm train --from and fm update: models that take in new users and items.
#include "clicks.h"
#include "ratings_text.h"

#include <nlohmann/json.hpp>

#include <cmath>

using namespace gradus;

namespace {

// Ratings of users `first` to `last`, and of two in three of the items, or of the others.
std::string week(int first, int last, bool other, int items = 20) {
  std::string csv = "customer,item,stars\n";
  for (int u = first; u < last; ++u)
    for (int i = 0; i < items; ++i)
      if (((u * 7 + i * 5) % 3 == 0) == other)
        csv += fmt::format("c{},i{},{:.2f}\n", u, i, 3 + std::sin(u) + std::cos(i) + std::sin(u + 1) * std::cos(3 * i));
  return csv;
}

double mse(const Folder& folder, const std::string& model, const std::string& data) {
  const Finished done = run_fm(folder, {"evaluate", model, data, "--json"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  return nlohmann::json::parse(done.out)["mse"].get<double>();
}

}  // namespace

TEST_CASE("week 2 is learnt from on top of week 1, or folded into it") {
  const Folder folder;
  write_text(folder / "week1.csv", week(0, 30, false));
  write_text(folder / "week2.csv", week(25, 34, false, 21));
  write_text(folder / "new.csv", week(30, 34, true));
  write_text(folder / "old.csv", week(0, 30, true));
  const Words first{"train", "week1.csv", "--factors", "3", "--rate", "0.02", "--quiet", "--model"};
  Words words = first;
  words.emplace_back("week1.model");
  REQUIRE(run_fm(folder, words).code == 0);
  const double unknown = mse(folder, "week1.model", "new.csv"), known = mse(folder, "week1.model", "old.csv");

  const Finished done =
      run_fm(folder, {"train", "week2.csv", "--from", "week1.model", "--model", "week2.model", "--quiet"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(mse(folder, "week2.model", "new.csv") < 0.3 * unknown);
  CHECK(mse(folder, "week2.model", "old.csv") < 1.1 * known);

  const std::string update = said(folder, {"update", "week1.model", "week2.csv", "--output", "updated.model"});
  CHECK_MESSAGE(update.starts_with("0: week2.csv: new are 4 customer, 1 item, in "), update);
  CHECK(update.find(" without what is new, ") != std::string::npos);
  CHECK(update.ends_with("\nmodel: updated.model\n"));
  CHECK(mse(folder, "updated.model", "new.csv") < 0.3 * unknown);
  CHECK(mse(folder, "updated.model", "old.csv") == doctest::Approx(known));
  CHECK(run_fm(folder, {"recommend", "updated.model", "--user", "c33", "--count", "1"}).code == 0);
  CHECK(said(folder, {"recommend", "week1.model", "--user", "c33"})
            .starts_with("1: fm: the model has not seen customer c33; did you mean "));
  const Finished again = run_fm(folder, {"update", "updated.model", "week2.csv", "--in-place"});
  CHECK(again.code == 1);
  CHECK(again.err ==
        "fm: week2.csv: has no category that updated.model does not know, so there is nothing to take in\n");
  const std::string before = text_of(folder / "updated.model");
  REQUIRE(run_fm(folder, {"update", "week1.model", "week2.csv", "--in-place", "--json"}).code == 0);
  CHECK(text_of(folder / "week1.model") == before);

  CHECK(said(folder, {"update", "week1.model", "week2.csv"}).starts_with("2: fm: "));
  CHECK(said(folder, {"train", "week2.csv", "--from", "week1.model", "--factors", "4"}) ==
        "1: fm: --factors is 4, but that of the model to go on from is 3\n");
  CHECK(said(folder, {"train", "week2.csv", "--from", "week1.model", "--target", "stars"}) ==
        "1: fm: week2.csv: columns are named although a feature table says what they are\n");
  CHECK(said(folder, {"train", "week2.csv", "--from", "week1.model", "--cv", "3"}) ==
        "2: fm: --from goes on from one model, but --cv trains many from the start (see fm train --help)\n");
  write_text(folder / "other.csv", "customer,stars\nc1,3\n");
  CHECK(said(folder, {"update", "week1.model", "other.csv", "--in-place"}) ==
        "1: fm: other.csv: has no column \"item\", which the model has as categorical; the columns are \"customer\", "
        "\"stars\"\n");
  CHECK(text_of(folder / "week1.model") == before);
}

TEST_CASE("a chain goes on from its last sample where the rows are all there") {
  const Folder folder;
  write_text(folder / "week1.csv", week(0, 30, false));
  write_text(folder / "week2.csv", week(30, 34, false));
  write_text(folder / "new.csv", week(30, 34, true));
  REQUIRE(run_fm(folder, {"train", "week1.csv", "--learner", "mcmc", "--epochs", "60", "--factors", "3", "--model", "m",
                          "--quiet"})
              .code == 0);
  CHECK(said(folder, {"train", "week2.csv", "--from", "m"})
            .starts_with("1: fm: week2.csv: mcmc learns from these rows alone, and would forget 30 of the model's 50 "
                         "features"));
  const Finished done = run_fm(
      folder, {"train", "week1.csv", "week2.csv", "--from", "m", "--epochs", "20", "--model", "both", "--quiet"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(done.out.find("; regression, mcmc; 20 epochs") != std::string::npos);
  CHECK(done.out.find("may do better") == std::string::npos);
  REQUIRE(run_fm(folder, {"update", "m", "week2.csv", "--output", "updated"}).code == 0);
  const double unknown = mse(folder, "m", "new.csv");
  CHECK(mse(folder, "both", "new.csv") < 0.3 * unknown);
  CHECK(mse(folder, "updated", "new.csv") < 0.3 * unknown);
}

TEST_CASE("a model with columns of other tables takes in new categories, which have none of these") {
  const Folder folder;
  write_text(folder / "week1.csv", week(0, 30, false));
  write_text(folder / "week2.csv", week(25, 34, false, 21));
  write_text(folder / "new.csv", week(30, 34, true));
  write_text(folder / "old.csv", week(0, 30, true));
  std::string customers = "customer,parity\n";
  for (int c = 0; c < 30; ++c) customers += "c" + std::to_string(c) + (c % 2 == 0 ? ",even\n" : ",odd\n");
  write_text(folder / "customers.csv", customers);
  for (const std::string learner : {"adam", "als", "mcmc"}) {
    CAPTURE(learner);
    const Finished first = run_fm(folder, {"train", "week1.csv", "--factors", "3", "--learner", learner, "--epochs",
                                           "60", "--implicit", "customer:item", "--join", "customers.csv", "--on",
                                           "customer", "--quiet", "--overwrite", "--model", "m"});
    REQUIRE_MESSAGE(first.code == 0, first.err);
    const double unknown = mse(folder, "m", "new.csv"), known = mse(folder, "m", "old.csv");
    const Finished done = run_fm(folder, {"update", "m", "week2.csv", "--output", "updated", "--overwrite"});
    REQUIRE_MESSAGE(done.code == 0, done.err);
    CHECK(done.out.find("what is known keeps what it has by them, what is new has none\n") != std::string::npos);
    CHECK(mse(folder, "updated", "old.csv") == doctest::Approx(known).epsilon(1e-4));
    CHECK(mse(folder, "updated", "new.csv") < 0.6 * unknown);
    // Who visits parameters learns from all rows again, and keeps the columns; steps down gradients may see new rows
    // alone.
    Words on{"train", "week2.csv", "--from", "m", "--epochs", "30", "--model", "on", "--quiet", "--overwrite"};
    if (learner != "adam") {
      CHECK(said(folder, on).starts_with("1: fm: week2.csv: " + learner + " learns from these rows alone, and would "));
      on.insert(on.begin() + 1, "week1.csv");
    }
    const Finished both = run_fm(folder, on);
    REQUIRE_MESSAGE(both.code == 0, both.err);
    CHECK(mse(folder, "on", "new.csv") < 0.6 * unknown);
    const auto inspected = nlohmann::json::parse(run_fm(folder, {"inspect", "on", "--json"}).out);
    CHECK(inspected["relations"].size() == (learner == "adam" ? 0 : 2));
    CHECK(inspected["options"]["optimizer"] == learner);
    on.insert(on.end(), {"--implicit", "item:customer"});
    CHECK(said(folder, on) ==
          "1: fm: " + on[1] + ": --from goes on with the columns of the model, but --implicit adds some\n");
  }
}
