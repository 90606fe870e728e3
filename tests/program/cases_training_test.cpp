// What trainings make of small inputs that people's reports led to, with the options that nobody gives. The inputs are
// no part of the project: $GRADUS_CASES names their folder, else ../shared/cases.
#include "run_program.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>

using namespace gradus;
using Words = std::vector<std::string>;

namespace {

// The folder of a case; none, and a message, where it is not there.
std::optional<std::filesystem::path> case_folder(const std::string& name) {
  const char* const set = std::getenv("GRADUS_CASES");
  const std::filesystem::path folder =
      (set != nullptr ? std::filesystem::path(set)
                      : (std::filesystem::path(GRADUS_GOLDEN_DIR) / "../../../shared/cases").lexically_normal()) /
      name;
  if (std::filesystem::exists(folder)) return folder;
  MESSAGE("skipped: ", folder.string(), " is not there");
  return {};
}

nlohmann::json metrics_of(const Folder& folder, Words words) {
  words.insert(words.begin(), "train");
  words.emplace_back("--json");
  const Finished done = run_fm(folder, words);
  REQUIRE_MESSAGE(done.code == 0, done.err);
  return nlohmann::json::parse(done.out);
}

}  // namespace

TEST_CASE("small data are learnt as well as by logistic regression") {
  const auto cases = case_folder("20-small-data-defaults");
  if (!cases) return;
  const Folder folder;
  const std::pair<int, double> regressions[] = {{500, 0.5468}, {1000, 0.5189}, {2000, 0.5107}, {10000, 0.5051}};
  for (const auto& [rows, loss] : regressions) {
    const auto found = metrics_of(folder, {*cases / fmt::format("train{}.csv", rows), "--test",
                                           (*cases / "test.csv").string(), "--threads", "1"});
    MESSAGE(rows, " rows: ", found["metrics"]["test log loss"].get<double>(), " (logistic regression ", loss, ")");
    CHECK(found["metrics"]["test log loss"].get<double>() <= loss + 0.005);
  }
}

TEST_CASE("a timestamp among the columns breaks no model") {
  const auto renamed = case_folder("02-timestamp-column");
  const auto side = case_folder("22-movielens-with-side-columns");
  if (!renamed || !side) return;
  const Folder folder;
  const auto few =
      metrics_of(folder, {*renamed / "renamed.csv", "--target", "stars", "--categorical", "customer,product"});
  CHECK(few["metrics"]["validation mse"] < 0.3);
  const auto many = metrics_of(folder, {*side / "train.csv", "--test", *side / "test.csv"});
  CHECK(many["metrics"]["test mse"] < 0.45);
  // As it is, the timestamp is too large, and what comes of it is no model.
  const Finished broken = run_fm(folder, {"train", *side / "train.csv", "--no-normalize", "--model", "m"});
  CHECK(broken.code == 1);
  CHECK(broken.err.find("--normalize") != std::string::npos);
  CHECK(broken.err.find("--ignore") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "m"));
}

TEST_CASE("targets of any size are learnt, and equal ones are refused") {
  const auto cases = case_folder("18-targets");
  if (!cases) return;
  const Folder folder;
  for (const std::string file : {"huge.csv", "tiny.csv"}) {
    CAPTURE(file);
    const auto metrics = metrics_of(folder, {*cases / file})["metrics"];
    CHECK(metrics["validation mse"].get<double>() < 0.01 * metrics["constant mse"].get<double>());
    CHECK(metrics["validation r2"] > 0.99);
  }
  CHECK(run_fm(folder, {"train", *cases / "tiny.csv"}).out.find(" 0.0000") == std::string::npos);
  const Finished equal = run_fm(folder, {"train", *cases / "const.csv", "--model", "m"});
  CHECK(equal.code == 1);
  CHECK(equal.err.find(": all targets are 4, so there is nothing to learn\n") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "m"));
}

TEST_CASE("one confident mistake ends no training") {
  const auto cases = case_folder("23-saturated-logits");
  if (!cases) return;
  const Folder folder;
  const auto validated = metrics_of(folder, {*cases / "train.csv", "--valid", *cases / "valid.csv"});
  CHECK(validated["metrics"]["validation log loss"].is_number());
  // Unscaled and long, as it takes to be so sure.
  metrics_of(folder, {*cases / "train.csv", "--no-normalize", "--rate", "0.1", "--epochs", "60", "--patience", "0",
                      "--l2-w", "0", "--kind", "linear", "--model", "m"});
  const auto loss = [&](const std::string& file) {
    return nlohmann::json::parse(run_fm(folder, {"evaluate", "m", *cases / file, "--json"}).out)["log loss"]
        .get<double>();
  };
  const double wrong = loss("one.csv");
  CHECK(wrong > 100);  // where 1 - p is 0 in float32
  CHECK(wrong < 1e4);
  CHECK(loss("valid.csv") > wrong / 51);
  CHECK(loss("right.csv") < 1e-6);
}

TEST_CASE("rows of 2 to 20,000 features are learnt together") {
  const Folder folder;
  std::string text;
  std::uint64_t state = 3;
  const auto draw = [&state](std::uint64_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % below;
  };
  for (int row = 0; row < 30; ++row) {
    const std::uint64_t count[] = {2, 300, 20000};
    const std::uint64_t step = 199'000 / count[row % 3];
    text += row % 2 == 0 ? "0" : "1 1:1";
    for (std::uint64_t i = 0; i < count[row % 3]; ++i) text += fmt::format(" {}:1", 2 + i * step + draw(step));
    text += "\n";
  }
  write_text(folder / "wide.svm", text);
  const auto found = metrics_of(folder, {"wide.svm"});
  for (const auto& epoch : found["history"]) {
    CHECK(epoch["loss"].is_number());
    CHECK(epoch["validation"].is_number());
  }
}

TEST_CASE("a planted interaction of fields is found, whatever the format") {
  const auto cases = case_folder("16-ffm-and-inspect");
  if (!cases) return;
  const Folder folder;
  for (const std::string file : {"t.csv", "t.ffm"}) {
    CAPTURE(file);
    metrics_of(folder, {*cases / file, "--kind", "field-aware", "--model", "m"});
    const auto pairs = nlohmann::json::parse(run_fm(folder, {"inspect", "m", "--json"}).out)["strongest_pairs"];
    double greatest = 0;
    std::string first, second;
    for (const auto& pair : pairs) {
      const auto a = pair["features"][0].get<std::string>(), b = pair["features"][1].get<std::string>();
      // Features 0 to 11 are shops, 12 to 23 items, the others days: no pair is of one field.
      const auto field = [&](const std::string& name) {
        const std::size_t at = name.find('=');
        return at == std::string::npos ? std::to_string(std::min(std::stoi(name) / 12, 2)) : name.substr(0, at);
      };
      CHECK(field(a) != field(b));
      if (pair["weight"].get<double>() <= greatest) continue;
      greatest = pair["weight"].get<double>();
      first = a;
      second = b;
    }
    CHECK(first == (file == "t.csv" ? "shop=s5" : "5"));
    CHECK(second == (file == "t.csv" ? "item=i21" : "21"));
    CHECK(greatest > 1.8);
    CHECK(greatest < 2.4);
  }
}

TEST_CASE("several classes, by text and by number, from training to ONNX") {
  const auto cases = case_folder("09-multiclass-weights-ranking");
  if (!cases) return;
  const Folder folder;
  for (const std::string file : {"multi_text.csv", "multi_num.csv"}) {
    CAPTURE(file);
    const auto metrics =
        metrics_of(folder, {*cases / file, "--task", "multiclass", "--model", "m", "--report", "page.html"})["metrics"];
    CHECK(metrics["constant log loss"].get<double>() == doctest::Approx(std::log(3)).epsilon(0.02));
    CHECK(metrics["validation log loss"] < 0.1);
    CHECK(metrics["validation accuracy"] > 0.95);
    const auto evaluated = nlohmann::json::parse(run_fm(folder, {"evaluate", "m", *cases / file, "--json"}).out);
    CHECK(evaluated["accuracy"] > 0.95);
    const std::string names = file == "multi_text.csv" ? "high,low,mid" : "0,1,2";
    const Finished classes = run_fm(folder, {"predict", "m", *cases / file});
    CHECK(classes.out.starts_with(file == "multi_text.csv" ? "low\nlow\nmid\n" : "0\n0\n1\n"));
    std::istringstream lines(run_fm(folder, {"predict", "m", *cases / file, "--probabilities"}).out);
    std::string line;
    std::getline(lines, line);
    CHECK(line == names);
    std::getline(lines, line);
    double sum = 0, p = 0;
    char comma = 0;
    for (std::istringstream values(line); values >> p; values >> comma) sum += p;
    CHECK(sum == doctest::Approx(1));
    CHECK(run_fm(folder, {"inspect", "m"}).out.find(" for ") != std::string::npos);
    CHECK(run_fm(folder, {"export", "m", "--onnx", "m.onnx"}).out == "m.onnx: X [n, 14] -> prediction [n, 3]\n");
  }
  const Finished kind = run_fm(folder, {"train", *cases / "multi_num.csv", "--task", "multiclass", "--kind", "deep"});
  CHECK(kind.code == 1);
  CHECK(kind.err.find("linear and fm can do that") != std::string::npos);
}

TEST_CASE("a ranking needs no target where the rows say who took what") {
  const auto cases = case_folder("09-multiclass-weights-ranking");
  if (!cases) return;
  const Folder folder;
  const auto without = metrics_of(folder, {*cases / "bought.csv", "--task", "ranking", "--model", "m"})["metrics"];
  const auto with_ones = metrics_of(folder, {*cases / "bought1.csv", "--task", "ranking", "--model", "n"})["metrics"];
  CHECK(without["validation pair loss"] == with_ones["validation pair loss"]);
  CHECK(without["validation auc"] > 0.6);
  CHECK(run_fm(folder, {"evaluate", "m", *cases / "bought.csv"}).out.find("pair loss 0.") != std::string::npos);
  CHECK(run_fm(folder, {"predict", "m", *cases / "bought.csv"}).code == 0);
  const Finished guess = run_fm(folder, {"train", *cases / "bought.csv"});
  CHECK(guess.code == 1);
  CHECK(guess.err.find("no column looks like a target") != std::string::npos);
  CHECK(guess.err.find("; --target names one, and --task ranking needs none") != std::string::npos);
}

TEST_CASE("classes that are balanced count alike") {
  const auto cases = case_folder("09-multiclass-weights-ranking");
  if (!cases) return;
  const Folder folder;
  const Finished said = run_fm(folder, {"train", *cases / "plain.csv", "--balance", "--quiet", "--model", "m"});
  REQUIRE_MESSAGE(said.code == 0, said.err);
  CHECK(said.out.find("\nbalanced: rows count by their class, 0 by 0.531, 1 by 8.562\n") != std::string::npos);
  CHECK(said.out.find("\nconstant: log loss 0.693") != std::string::npos);
  std::istringstream predictions(run_fm(folder, {"predict", "m", *cases / "plain.csv"}).out);
  double sum = 0, rows = 0;
  for (double p = 0; predictions >> p; ++rows) sum += p;
  CHECK(sum / rows > 0.25);  // where 0.058 of the rows are of 1
  CHECK(run_fm(folder, {"train", *cases / "plain.csv", "--balance", "--task", "regression"}).code == 1);
}

TEST_CASE("what is worse than a constant is no model, and what ends on an edge is said") {
  const Folder folder;
  std::string text = "a,b,y\n";
  for (int i = 0; i < 400; ++i) text += fmt::format("a{},b{},{}\n", i % 7, (i * i) % 11, i % 7 + (i * i) % 11);
  write_text(folder / "r.csv", text);
  write_text(folder / "m", "as it was");
  const Finished fast = run_fm(folder, {"train", "r.csv", "--rate", "1000", "--model", "n"});
  CHECK(fast.code == 1);
  CHECK(fast.err.find("fm: r.csv: the model is worse than a constant (mse ") == 0);
  CHECK(fast.err.find("--rate takes smaller steps") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "n"));
  const Finished search =
      run_fm(folder, {"train", "r.csv", "--rate", "1000", "--epochs", "1", "--search", "--model", "n"});
  CHECK(search.code == 1);
  CHECK(search.err.find("worse than the constant's") != std::string::npos);
  CHECK(!std::filesystem::exists(folder / "n"));
  const Finished edge = run_fm(folder, {"train", "r.csv", "--rate", "0.0001", "--search", "--quiet"});
  CHECK(edge.out.find("on the edge of what was tried: --rate 0.0003") != std::string::npos);
  CHECK(run_fm(folder, {"train", "r.csv", "--epochs", "2", "--quiet"})
            .out.find("best epoch: 2; it is the last, so more --epochs may do better\n") != std::string::npos);
}

TEST_CASE("a column may have a penalty of its own") {
  const Folder folder;
  std::string text = "user,item,y\n";
  for (int i = 0; i < 400; ++i) text += fmt::format("u{},i{},{}\n", i % 7, (i * i) % 11, i % 7 + (i * i) % 11);
  write_text(folder / "r.csv", text);
  const auto weights = [&](const Words& more) {
    Words words{"train", "r.csv", "--model", "m", "--kind", "linear", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    const Finished done = run_fm(folder, words);
    REQUIRE_MESSAGE(done.code == 0, done.err);
    double user = 0, item = 0;
    const auto found = nlohmann::json::parse(run_fm(folder, {"inspect", "m", "--json", "--count", "20"}).out);
    for (const auto& each : found["strongest_features"]) {
      const auto name = each["feature"].get<std::string>();
      double& greatest = name.starts_with("user") ? user : item;
      greatest = std::max(greatest, std::abs(each["weight"].get<double>()));
    }
    return std::pair(user, item);
  };
  const auto [user, item] = weights({});
  const auto [held, free] = weights({"--l2", "user=10"});
  CHECK(held < 0.3 * user);
  CHECK(free > 0.7 * item);
  CHECK(run_fm(folder, {"train", "r.csv", "--l2", "shop=1"}).err ==
        "fm: r.csv: the penalty \"shop=1\" names no column with features\n");
  CHECK(run_fm(folder, {"train", "r.csv", "--l2", "user=-1"}).err ==
        "fm: the penalty \"user=-1\" is no column with a number of at least 0, as user=0.1\n");
}
