// Recommendations: what predicting every pair and sorting gives, for every kind of model; candidates and contexts by
// their names; and how good lists are.
#include "folder.h"
#include "refusal.h"
#include "scratch_file.h"

#include <gradus/core/tensor/create.h>
#include <gradus/models/training/top_evaluation.h>
#include <gradus/models/training/training_set.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace gradus {
namespace {

// Nine users, 150 items: more than are scored at once. What a user likes depends on the item's genres, and on the day.
std::string taste_row(int u, int i, const std::string& day) {
  const char* const genres[] = {"Comedy", "Drama|Crime", "Comedy|Crime", ""};
  return fmt::format("u{},{},{},i{},{}", u, 20 + u, day, i, genres[i % 4]);
}
double taste(int u, int i, const std::string& day) {
  return 3 + std::sin(u + i % 4) + 0.3 * std::cos(i) + (day == "sunday" && i % 2 == 0 ? 0.5 : 0);
}

std::string taste_table() {
  std::string csv = "user,age,day,item,genres,rating\n";
  for (int n = 0; n < 700; ++n) {
    const int u = n % 9, i = (n * 7) % 150;
    const std::string day = n % 3 == 0 ? "sunday" : "monday";
    csv += fmt::format("{},{:.3f}\n", taste_row(u, i, day), taste(u, i, day));
  }
  return csv;
}
std::string taste_items() {
  std::string csv = "title,item,genres\n";
  for (int i = 149; i >= 0; --i)
    csv += fmt::format("t,i{},{}\n", i, taste_row(0, i, "").substr(taste_row(0, i, "").rfind(',') + 1));
  return csv + "t,never seen,\n";
}

TrainedModel trained_on_tastes(const DataFile& file, TrainingOptions options) {
  options.epochs = options.optimizer == Learner::mcmc ? 12 : 3;
  options.factors = 4;
  options.hidden = {4};
  if (options.optimizer == Learner::mcmc) options.samples = 3;
  const TrainingSet set = load_training_set(file, {}, options);
  Trainer trainer(set.train, set.validation, set.columns, options);
  trainer.run();
  TrainedModel model = untrained_model(set, options);
  model.parameters = trainer.parameters();
  model.samples = trainer.samples();
  model.target_scale = trainer.target_scale();
  return model;
}

// Every pair as a row of a file, predicted and sorted.
std::vector<std::vector<Recommendation>> all_pairs(const TrainedModel& model, const Candidates& candidates,
                                                   const std::string& contexts, std::int64_t count,
                                                   std::span<const std::vector<Index>> without) {
  std::map<std::string, std::string> genres;
  for (int i = 0; i < 150; ++i)
    genres[fmt::format("i{}", i)] = taste_row(0, i, "").substr(taste_row(0, i, "").rfind(',') + 1);
  Predictor predict(model, "model");
  std::vector<std::vector<Recommendation>> out;
  std::size_t begin = contexts.find('\n') + 1;
  for (std::size_t n = 0; begin < contexts.size(); ++n) {
    const std::string context = contexts.substr(begin, contexts.find('\n', begin) - begin);
    begin += context.size() + 1;
    std::string csv = "user,age,day,item,genres\n";
    for (const std::string& item : candidates.names) csv += fmt::format("{},{},{}\n", context, item, genres[item]);
    const ScratchFile file(csv, ".csv");
    ReadOptions read = read_options(model);
    read.need_target = false;
    const Tensor told = predict.all(read_rows(file.path(), read).x);
    std::vector<Recommendation> list;
    for (std::size_t i = 0; i < candidates.names.size(); ++i)
      if (without.empty() || !std::binary_search(without[n].begin(), without[n].end(), static_cast<Index>(i)))
        list.push_back({static_cast<Index>(i), told.span<float>()[i]});
    std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
    list.resize(std::min(list.size(), static_cast<std::size_t>(count)));
    out.push_back(std::move(list));
  }
  return out;
}

TEST_CASE("recommendations are what predicting every pair and sorting gives") {
  const ScratchFile table(taste_table(), ".csv"), items(taste_items(), ".csv");
  std::string contexts = "user,age,day\n";
  for (int u = 0; u < 9; ++u) contexts += fmt::format("u{},{},{}\n", u, 20 + u, u % 2 == 0 ? "sunday" : "monday");
  const ScratchFile contexts_file(contexts, ".csv");
  struct Case {
    ModelKind kind;
    Learner learner;
    Task task = Task::regression;
    int hash_bits = 0;
  };
  const ScratchFile clicks(
      [] {
        std::string csv = taste_table();
        for (std::size_t at = csv.find('\n') + 1; at < csv.size(); at = csv.find('\n', at) + 1) {
          const std::size_t end = csv.find('\n', at), comma = csv.rfind(',', end);
          csv.replace(comma, end - comma, std::stod(csv.substr(comma + 1)) > 3 ? ",1" : ",0");
        }
        return csv;
      }(),
      ".csv");
  for (const Case& each :
       {Case{ModelKind::linear, Learner::adam}, Case{ModelKind::fm, Learner::adam}, Case{ModelKind::fm, Learner::als},
        Case{ModelKind::fm, Learner::mcmc}, Case{ModelKind::fm, Learner::adam, Task::binary},
        Case{ModelKind::fm, Learner::als, Task::binary}, Case{ModelKind::fm, Learner::mcmc, Task::binary},
        Case{ModelKind::fm, Learner::adam, Task::regression, 5}, Case{ModelKind::fm, Learner::mcmc, Task::binary, 5},
        Case{ModelKind::higher_order, Learner::adam}, Case{ModelKind::deep, Learner::adam, Task::binary}}) {
    CAPTURE(to_string(each.kind));
    CAPTURE(to_string(each.learner));
    CAPTURE(to_string(each.task));
    CAPTURE(each.hash_bits);
    TrainingOptions options;
    options.kind = each.kind;
    options.optimizer = each.learner;
    options.task = each.task;
    DataFile file;
    file.path = (each.task == Task::binary ? clicks : table).path();
    file.read = {.categorical = {"user", "day", "item"},
                 .numeric = {"age"},
                 .multi = {"genres"},
                 .separator = "|",
                 .hash_bits = each.hash_bits};
    const TrainedModel model = trained_on_tastes(file, options);
    const Candidates candidates = read_candidates(model, {.path = items.path()}, "item", "user");
    CHECK(candidates.features == std::vector<std::string>{"item", "genres"});
    CHECK(candidates.unknown == (each.hash_bits > 0 ? 0 : 1));
    REQUIRE(candidates.names.size() == (each.hash_bits > 0 ? 151 : 150));
    const Contexts users = read_contexts(model, {.path = contexts_file.path()}, candidates);
    const std::vector<std::vector<Index>> without =
        read_pairs(model, {.path = table.path()}, candidates, users, "user");
    const Recommender recommend(model, "model", candidates.x, {.threads = 2});
    for (const auto& left_out : {std::span<const std::vector<Index>>(), std::span(without)}) {
      const auto lists = recommend(users.x, 7, left_out);
      const auto expected = all_pairs(model, candidates, contexts, 7, left_out);
      REQUIRE(lists.size() == 9);
      for (std::size_t n = 0; n < lists.size(); ++n) {
        REQUIRE(lists[n].size() == expected[n].size());
        for (std::size_t i = 0; i < lists[n].size(); ++i) {
          CHECK(lists[n][i].score == doctest::Approx(expected[n][i].score).epsilon(1e-5));
          // Of two that are told alike but for rounding either may be first.
          if (i + 1 < lists[n].size() && std::abs(expected[n][i].score - expected[n][i + 1].score) > 1e-5F &&
              (i == 0 || std::abs(expected[n][i].score - expected[n][i - 1].score) > 1e-5F))
            CHECK(lists[n][i].item == expected[n][i].item);
        }
      }
    }
  }
}

TEST_CASE("of candidates told alike the first of the dictionary is first") {
  const ScratchFile table("user,item,rating\n1,10,3\n1,9,3\n2,10,3\n2,b,4\n", ".csv");
  TrainingOptions options;
  options.kind = ModelKind::linear;
  TrainedModel model = trained_on_tastes({.path = table.path(), .read = {.categorical = {"user", "item"}}}, options);
  for (auto& [name, value] : model.parameters)
    value = Tensor::from(std::vector<float>(static_cast<std::size_t>(value.size())), value.shape());
  const Candidates all = candidates_of(model, item_column(model));
  CHECK(all.names == std::vector<std::string>{"9", "10", "b"});
  const Contexts users = contexts_of(model, all, {}, user_column(model));
  CHECK(users.size() == 2);
  const auto lists = Recommender(model, "model", all.x)(users.x, 2);
  for (const auto& list : lists) {
    REQUIRE(list.size() == 2);
    CHECK(list[0].item == 0);
    CHECK(list[1].item == 1);
  }
  // Scores that lie beyond the range are told as its end, and yet ranked.
  model.options.clip_predictions = true;
  model.parameters.at("W") = Tensor::from(std::vector<float>{0, 0, 7, 9, 8});
  const auto clipped = Recommender(model, "model", all.x)(users.x, 3).front();
  CHECK(clipped[0].item == 1);
  CHECK(clipped[1].item == 2);
  CHECK(clipped[0].score == 4);
  CHECK(clipped[2].score == 4);
  CHECK(refusal<ValueError>([&] { Recommender(model, "m", all.x)(users.x, 0); }) ==
        "Recommender: the 0 best are asked for; 1 or more are expected");
  CHECK(refusal<TypeError>([&] {
          Recommender(model, "m", zeros({2, 5}));
        }) == "Recommender: candidates are float32 [2, 5]; float32 csr [2, 5] is expected");
}

TEST_CASE("candidates and contexts by their names") {
  const ScratchFile table(taste_table(), ".csv"), items(taste_items(), ".csv");
  const TrainedModel model = trained_on_tastes(
      {.path = table.path(), .read = {.numeric = {"age"}, .multi = {"genres"}, .separator = "|"}}, {});
  CHECK(item_column(model) == "item");
  CHECK(user_column(model) == "user");
  const auto of = [&](const std::vector<NamedCell>& where) {
    return read_candidates(model, {.path = items.path()}, "item", "user", where);
  };
  CHECK(of({{"genres", "Crime"}}).names.size() == 75);
  CHECK(of({{"genres", "Crime"}, {"genres", "Comedy"}}).names.size() == 37);
  CHECK(of({{"item", "i7"}, {"title", "t"}}).names == std::vector<std::string>{"i7"});
  CHECK(refusal<ValueError>([&] {
          of({{"genres", "crime"}});
        }).ends_with("has no item to recommend with the cells asked for"));
  CHECK(refusal<IoError>([&] {
          of({{"year", "1990"}});
        }).ends_with("has no column \"year\"; the columns are \"title\", \"item\", \"genres\""));
  CHECK(refusal<ValueError>([&] { item_column(model, "age"); }) ==
        "column \"age\" holds numbers; one category in each cell is expected");
  CHECK(refusal<ValueError>([&] { user_column(model, "who"); }) ==
        "the model has no column \"who\"; it learnt from user, age, day, item, genres");
  const ScratchFile twice("item,genres\ni1,Comedy\ni1,Drama\n", ".csv");
  CHECK(refusal<ValueError>([&] {
          read_candidates(model, {.path = twice.path()}, "item", "user");
        }).ends_with("item \"i1\" is there with different cells of item, genres; a row for each is expected"));

  const Candidates all = of({});
  const Contexts one = contexts_of(model, all, {{"day", "sunday"}, {"user", "u3"}});
  CHECK(one.columns == std::vector<std::string>{"user", "day"});
  CHECK(one.lacking == std::vector<std::string>{"age"});
  CHECK(one.cells[0].values() == std::vector<std::string>{"u3"});
  CHECK(one.x.stored() == 2);
  CHECK(contexts_of(model, all, {{"day", "sunday"}}, "user").x.stored() == 18);
  CHECK(refusal<ValueError>([&] {
          contexts_of(model, all, {{"genres", "Crime"}});
        }) == "column \"genres\" is the candidates'; contexts have the others of user, age, day, item, genres");
  CHECK(refusal<IoError>([&] {
          contexts_of(model, all, {{"age", "old"}});
        }) == "the context:2: column \"age\": \"old\" is not a number");
  const ScratchFile no_context("item,x\ni1,2\n", ".csv");
  CHECK(refusal<ValueError>([&] { read_contexts(model, {.path = no_context.path()}, all); })
            .ends_with("has no column of a context; the model learnt from user, age, day, item, genres, the candidates "
                       "have item, genres"));
}

TEST_CASE("metrics of lists by hand") {
  TopMetrics metrics(3);
  metrics.add(std::vector<Index>{4, 2, 7}, std::vector<Index>{2, 5});
  const double second = 1 / std::log2(3.0);
  CHECK(metrics.mean().of("ndcg@3") == doctest::Approx(second / (1 + second)));
  CHECK(metrics.mean().of("precision@3") == doctest::Approx(1.0 / 3));
  CHECK(metrics.mean().of("recall@3") == 0.5);
  CHECK(metrics.mean().of("mrr@3") == 0.5);
  metrics.add(std::vector<Index>{1}, std::vector<Index>{}, 2);
  CHECK(metrics.mean().examples == 2);
  CHECK(metrics.mean().of("hit rate@3") == 0.5);
  CHECK(metrics.mean().of("recall@3") == 0.25);
}

TEST_CASE("a test file's users, what they took, and popularity") {
  const ScratchFile table("user,item,rating\na,x,5\nb,x,5\nc,x,1\na,y,5\nb,y,2\nc,z,5\n", ".csv");
  TrainingOptions options;
  options.kind = ModelKind::linear;
  options.valid_fraction = 0;
  TrainedModel model = trained_on_tastes({.path = table.path()}, options);
  model.parameters.at("W") = Tensor::from(std::vector<float>{0, 0, 0, 1, 2, 3});  // z before y before x
  const Candidates all = candidates_of(model, "item");
  const ScratchFile test("item,user,rating\nz,a,5\nx,a,5\nw,b,4\ny,c,5\nx,d,1\n", ".csv");
  const TopEvaluation found =
      evaluate_top(model, "m", {.path = test.path()}, all, "user", {.count = 1, .without = {.path = table.path()}});
  // a took z, and x again; b what the model has not; c y; d, whom it has not, x.
  CHECK(found.users == 4);
  CHECK(found.taken == 4);
  CHECK(found.model.of("hit rate@1") == 0.5);         // a's z; c's first is y
  CHECK(found.popularity->of("hit rate@1") == 0.75);  // a's z, c's y, d's x
  CHECK(evaluate_top(model, "m", {.path = test.path()}, all, "user", {.count = 1, .liked = 4.5}).users == 2);
  CHECK(refusal<ValueError>([&] {
          evaluate_top(model, "m", {.path = test.path()}, all, "user", {.count = 1, .liked = 6});
        }).ends_with("no row says that a user took what could be recommended; a target of 6 or more would"));
}

}  // namespace
}  // namespace gradus
