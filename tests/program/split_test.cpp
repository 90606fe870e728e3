// fm train --split and --cv by time, by user and as each user's last; fm evaluate --by.
#include "clicks.h"

#include <nlohmann/json.hpp>

#include <cmath>

using namespace gradus;

namespace {

// Ratings whose level rises with time: who knows later rows tells them well.
std::string rising() {
  std::string csv = "customer,item,day,rating\n";
  for (int i = 0; i < 240; ++i)
    csv += fmt::format("c{},i{},2024-{:02d}-{:02d},{}\n", i % 12, (i * 5) % 9, 1 + i / 28, 1 + i % 28,
                       (i % 12) / 3 + i / 60);
  return csv;
}

nlohmann::json record_of(const Folder& folder, const Words& more) {
  Words words{"train", "r.csv", "--ignore", "day", "--epochs", "5", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const Finished done = run_fm(folder, words);
  REQUIRE_MESSAGE(done.code == 0, done.err);
  return nlohmann::json::parse(done.out);
}

}  // namespace

TEST_CASE("rows are held out as the split says, which is said") {
  const Folder folder;
  write_text(folder / "r.csv", rising());
  const auto line = [&](const std::string& split) {
    const std::string out =
        run_fm(folder, {"train", "r.csv", "--epochs", "1", "--split", split, "--quiet", "--ignore", "day"}).out;
    const std::size_t at = out.find("validation: ");
    return at == std::string::npos ? out : out.substr(at, out.find('\n', at) - at);
  };
  CHECK(line("random") == "validation: 24 examples held out");
  CHECK(line("time:day") == "validation: 24 examples held out: the latest by day");
  CHECK(line("leave-last-out") == "validation: 12 examples held out: the last by customer, in time by day");
  CHECK(line("user") == "validation: 40 examples held out: all of some by customer");
  CHECK(line("user:item").ends_with("held out: all of some by item"));
  CHECK(record_of(folder, {"--split", "user"})["options"]["split"] == "user");
  // Later rows are harder to tell than rows of the same days.
  CHECK(record_of(folder, {"--split", "time:day"})["metrics"]["validation mse"].get<double>() >
        1.5 * record_of(folder, {})["metrics"]["validation mse"].get<double>());

  CHECK(said(folder, {"train", "r.csv", "--split", "time"}) ==
        "2: fm: the split \"time\" is none of random, time:COLUMN, user, user:COLUMN, leave-last-out and "
        "leave-last-out:COLUMN (see fm train --help)\n");
  CHECK(said(folder, {"train", "r.csv", "--split", "time:when"}) ==
        "1: fm: r.csv: has no column \"when\"; the columns are \"customer\", \"item\", \"day\", \"rating\"\n");
  CHECK(said(folder, {"train", "r.csv", "--split", "time:customer"}) ==
        "1: fm: r.csv: column customer: \"c0\" is no time; a number or a date as 2024-01-31 or 2024-01-31 12:30:00 is "
        "expected\n");
  write_text(folder / "n.csv", "a,b,y\n1,2,3\n2,3,4\n");
  CHECK(said(folder, {"train", "n.csv", "--split", "user"}) ==
        "1: fm: n.csv: no column's name says whose a row is; --split user:COLUMN names it\n");
  write_text(folder / "s.svm", "1 1:1\n0 2:1\n");
  CHECK(said(folder, {"train", "s.svm", "--split", "user"}) ==
        "1: fm: s.svm: rows are to be split by user, but columns of libsvm have no names\n");
  CHECK(said(folder, {"train", "r.csv", "--split", "user", "--valid", "n.csv"}) ==
        "1: fm: --split is user, but the rows to validate with are those of n.csv\n");
}

TEST_CASE("a cross-validation is split alike") {
  const Folder folder;
  write_text(folder / "r.csv", rising());
  const auto tested = [&](const std::string& split) {
    std::vector<std::int64_t> out;
    const nlohmann::json record = record_of(folder, {"--cv", "3", "--split", split});
    for (const auto& fold : record["folds"]) out.push_back(fold["examples"].get<std::int64_t>());
    return out;
  };
  CHECK(tested("random") == std::vector<std::int64_t>{80, 80, 80});
  CHECK(tested("time:day") == std::vector<std::int64_t>{60, 60, 60});
  CHECK(tested("user") == std::vector<std::int64_t>{80, 80, 80});
  CHECK(tested("leave-last-out") == std::vector<std::int64_t>{12, 12, 12});
}

TEST_CASE("metrics by the values of a column") {
  const Folder folder;
  write_text(folder / "r.csv", rising());
  REQUIRE(run_fm(folder, {"train", "r.csv", "--ignore", "day", "--epochs", "2", "--model", "m", "--quiet"}).code == 0);
  const auto json = nlohmann::json::parse(run_fm(folder, {"evaluate", "m", "r.csv", "--by", "customer", "--json"}).out);
  CHECK(json["by"]["column"] == "customer");
  REQUIRE(json["by"]["values"].size() == 12);
  double squares = 0, mean = 0;
  for (const auto& value : json["by"]["values"]) {
    CHECK(value["examples"] == 20);
    squares += value["mse"].get<double>() * 20 / 240;
    mean += value["rmse"].get<double>() / 12;
  }
  CHECK(squares == doctest::Approx(json["mse"].get<double>()));
  CHECK(mean == doctest::Approx(json["by"]["mean"]["rmse"].get<double>()));
  const std::string out = run_fm(folder, {"evaluate", "m", "r.csv", "--by", "day"}).out;
  CHECK(out.find("by day, the mean of 240 values: mse ") != std::string::npos);
  CHECK(out.find("  and 230 values more, which have fewer (--json tells all)\n") != std::string::npos);
  CHECK(said(folder, {"evaluate", "m", "r.csv", "--by", "none"}) ==
        "1: fm: r.csv: has no column \"none\"; the columns are \"customer\", \"item\", \"day\", \"rating\"\n");
  REQUIRE(run_fm(folder, {"convert", "r.csv", "--model", "m", "--out", "r.cache"}).code == 0);
  CHECK(said(folder, {"evaluate", "m", "r.cache", "--by", "customer"}) ==
        "1: fm: r.cache: is a cache, which keeps no column to split or group by; the file that it was made of has "
        "them\n");
}
