// Models that take in new categories: features keep their parameters by name; what is folded in is where the loss is
// least; and trainings that go on from a model.
#include "folder.h"
#include "refusal.h"
#include "scratch_file.h"

#include <gradus/core/at.h>
#include <gradus/models/training/model_growth.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>
#include <gradus/ops/gradients.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace gradus {
namespace {

// Every third row of the users of a table of 40 users and 30 items, of users `first` to `last`.
std::string shop_rows(int first, int last, int part, bool classes = false, int items = 30) {
  std::string csv = "user,item,note,rating\n";
  for (int u = first; u < last; ++u)
    for (int i = 0; i < items; ++i) {
      if ((u * 7 + i * 5) % 3 == part) continue;
      const double y = 3 + std::sin(u) + std::cos(i) + std::sin(u + 1) * std::cos(3 * i) + 0.1 * std::sin(u * i);
      csv += fmt::format("u{},i{},n,{:.3f}\n", u, i, classes ? (y > 3 ? 1 : 0) : y);
    }
  return csv;
}

TrainedModel shop_model(const std::string& csv, Learner learner, std::int64_t epochs, ModelKind kind = ModelKind::fm,
                        std::optional<Task> task = {}) {
  const ScratchFile file(csv, ".csv");
  TrainingOptions options;
  options.kind = kind;
  options.task = task;
  options.optimizer = learner;
  options.factors = 3;
  options.epochs = epochs;
  options.valid_fraction = 0;
  options.l2_over = L2Over::touched;
  if (learner == Learner::mcmc) {
    options.samples = 10;
    options.l2_over.reset();
  } else {
    options.l2_v = 0.01;
    options.l2_w = 0.005;
    if (learner == Learner::adam) options.rate = 0.03;
  }
  if (task == Task::ranking) options.l2_over.reset();
  const TrainingSet set = load_training_set({.path = file.path(), .read = {.ignored = {"note"}}}, {}, options);
  Trainer trainer(set.train, nullptr, set.columns, options);
  trainer.run();
  TrainedModel model = untrained_model(set, trainer.options());
  model.parameters = trainer.parameters();
  model.samples = trainer.samples();
  model.target_scale = trainer.target_scale();
  model.rows = trainer.rows();
  model.noise = trainer.noise();
  return model;
}

double error_on(const TrainedModel& model, const std::string& csv) {
  const ScratchFile file(csv, ".csv");
  Predictor predict(model, "model");
  return evaluate_file(model, predict, {.path = file.path()}).evaluation.main();
}

struct Updated {
  TrainedModel model;
  FoldedIn found;
  Rows rows;
  std::vector<bool> is_new;
};
Updated updated(const TrainedModel& model, const std::string& csv) {
  const ScratchFile file(csv, ".csv");
  const LoadedRows rows = load_rows_for(model, growing(model, {.path = file.path()}));
  Updated out{grown(model, rows.columns), {}, rows.rows->block(0), new_features(model, rows.columns)};
  out.found = fold_in(out.model, out.is_new, out.rows);
  return out;
}

TEST_CASE("a table is extended by categories alone") {
  const ScratchFile old("user,item,note,rating\n2,b,x,1\n10,a,y,2\n", ".csv"),
      wide("note,rating,item,user,extra\nz,1,c,3,7\nz,5,a,2,7\n", ".csv"), lacking("user,rating\n2,1\n", ".csv");
  const ReadRows first =
      read_rows(old.path(), {.target = "rating", .categorical = {"user", "item"}, .ignored = {"note"}});
  const ReadRows second = read_rows(wide.path(), {.extended = first.columns.table});
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < second.columns.count; ++i) names.push_back(second.columns.name(i));
  CHECK(names == std::vector<std::string>{"user=2", "user=3", "user=10", "item=a", "item=b", "item=c"});
  CHECK(second.x.to_dense().at(0, 1) == 1);
  CHECK(second.x.to_dense().at(0, 5) == 1);
  CHECK(second.y.at(1, 0) == 5);
  CHECK(to_string(second.findings->back()) == "extra (left out: the model does not have it)");
  CHECK(
      refusal<IoError>([&] {
        read_rows(lacking.path(), {.extended = first.columns.table});
      }).ends_with("has no column \"item\", which the model has as categorical; the columns are \"user\", \"rating\""));
}

TEST_CASE("features keep their parameters by name, and what is new begins small") {
  const TrainedModel model = shop_model(shop_rows(0, 8, 0), Learner::adam, 3);
  const ScratchFile file("user,item,rating\nu100,i0,3\nu3,a new item,3\n", ".csv");
  const LoadedRows rows = load_rows_for(model, growing(model, {.path = file.path()}));
  CHECK(rows.unseen == std::vector<std::int64_t>{0, 0, 0, 0});
  const TrainedModel more = grown(model, rows.columns);
  CHECK(more.columns.count == model.columns.count + 2);
  const std::string known = shop_rows(0, 8, 1);
  CHECK(error_on(more, known) == error_on(model, known));
  const std::vector<bool> is_new = new_features(model, more.columns);
  for (std::int64_t i = 0; i < more.columns.count; ++i) {
    const std::string name = feature_name(more, i);
    CHECK(is_new[static_cast<std::size_t>(i)] == (name == "user=u100" || name == "item=a new item"));
    if (!is_new[static_cast<std::size_t>(i)]) continue;
    CHECK(more.parameters.at("W").at(i) == 0);
    CHECK(std::abs(more.parameters.at("V").at(i, 0)) < 4 * *model.options.init_stddev);
    CHECK(more.parameters.at("V").at(i, 0) != 0);
  }
  const Folder folder;
  save_model(folder / "m", more);
  CHECK(load_model(folder / "m").rows == model.rows);
}

// The gradient of the model's loss on the rows that hold what is new.
TEST_CASE("what is folded in is where the loss is least") {
  for (const auto& each :
       {std::pair(Learner::adam, false), std::pair(Learner::adam, true), std::pair(Learner::als, true)}) {
    const Learner learner = each.first;
    const bool classes = each.second;
    CAPTURE(to_string(learner));
    CAPTURE(classes);
    const TrainedModel model = shop_model(shop_rows(0, 20, 0, classes), learner, learner == Learner::als ? 20 : 30);
    // Two users and an item, of each of which some rows have two that are new.
    const Updated now = updated(model, shop_rows(20, 22, 0, classes, 31));
    CHECK(now.found.features == 3);
    CHECK(now.found.rows == now.rows.size());
    CHECK(now.found.after < 0.7 * now.found.before);
    Graph g;
    const Model of = make_model(g, now.model.columns.count,
                                model_options(now.model.options, now.model.columns, now.model.target_scale));
    const std::vector<Expr> slopes = gradients(of.loss, {of.parameters[1], of.parameters[2]});
    Session session(g);
    assign(session, of, now.model.parameters);
    const std::vector<Tensor> found = session.run(slopes, {{of.X, now.rows.x}, {of.y, now.rows.y}});
    double most = 0, others = 0;
    for (std::int64_t i = 0; i < now.model.columns.count; ++i)
      for (std::int64_t c = 0; c < 4; ++c) {
        const double slope = std::abs(c == 0 ? found[0].to_dense().at(i) : found[1].to_dense().at(i, c - 1));
        double& of_these = now.is_new[static_cast<std::size_t>(i)] ? most : others;
        of_these = std::max(of_these, slope);
      }
    CHECK(most < 1e-4);
    CHECK(others > 100 * most);
  }
}

TEST_CASE("other models, rankings and classes take in what is new down the gradients, and leave all else") {
  struct Of {
    ModelKind kind;
    std::optional<Task> task;
  };
  for (const Of& of : {Of{ModelKind::higher_order, {}}, Of{ModelKind::field_aware, {}}, Of{ModelKind::deep, {}},
                       Of{ModelKind::field_aware, Task::binary}, Of{ModelKind::fm, Task::multiclass},
                       Of{ModelKind::linear, Task::multiclass}, Of{ModelKind::fm, Task::ranking}}) {
    CAPTURE(to_string(of.kind));
    const bool classes = of.task == Task::binary || of.task == Task::multiclass;
    const TrainedModel model = shop_model(shop_rows(0, 20, 0, classes), Learner::adam, 30, of.kind, of.task);
    const Updated now = updated(model, shop_rows(20, 22, 0, classes, 31));
    CHECK(now.found.features == 3);
    CHECK(now.found.rows == now.rows.size());
    CHECK(now.found.after < (of.task ? 0.95 : 0.7) * now.found.before);
    // Known features are where they were.
    for (const auto& [name, value] : now.model.parameters) {
      const Tensor& before = model.parameters.at(name);
      if (value.shape() == before.shape()) {
        CHECK(value == before);
        continue;
      }
      const std::int64_t width = value.size() / value.dim(0);
      const std::vector<float> is(value.span<float>().begin(), value.span<float>().end());
      const std::vector<float> was(before.span<float>().begin(), before.span<float>().end());
      std::vector<float> kept;
      for (std::size_t i = 0; i < now.is_new.size(); ++i)
        if (!now.is_new[i])
          kept.insert(kept.end(), is.begin() + static_cast<std::ptrdiff_t>(i) * width,
                      is.begin() + static_cast<std::ptrdiff_t>(i + 1) * width);
      CHECK(kept == was);
    }
    if (of.task == Task::ranking) continue;  // whose loss is of other pairs each time
    Graph g;
    const Model built = make_model(g, now.model.columns.count,
                                   model_options(now.model.options, now.model.columns, now.model.target_scale));
    Session session(g);
    assign(session, built, now.model.parameters);
    const Feeds feeds{{built.X, now.rows.x}, {built.y, now.rows.y}};
    for (const Expr& parameter : built.parameters) {
      if (parameter.name() != "W" && parameter.name() != "V") continue;
      const Tensor slope = session.run(gradients(built.loss, {parameter})[0], feeds).to_dense();
      const Tensor& found = now.model.parameters.at(parameter.name());
      const std::size_t width = at(slope.size() / slope.dim(0));
      for (std::size_t entry = 0; entry < at(slope.size()); ++entry) {
        if (!now.is_new[entry / width]) continue;
        CAPTURE(entry);
        if (of.kind != ModelKind::deep) {
          CHECK(std::abs(slope.span<float>()[entry]) < 2e-4);
          continue;
        }
        // Where a relu turns, the loss is least without a slope of 0.
        const double least = session.run(built.loss, feeds).item();
        for (const float away : {-0.03F, 0.03F}) {
          std::vector<float> values(found.span<float>().begin(), found.span<float>().end());
          values[entry] += away;
          session.assign(parameter, Tensor::from(values, found.shape()));
          CHECK(session.run(built.loss, feeds).item() > least);
        }
        session.assign(parameter, found);
      }
    }
  }
  const TrainedModel sampled = shop_model(shop_rows(0, 20, 0), Learner::mcmc, 10, ModelKind::higher_order);
  CHECK(refusal<ValueError>([&] {
          updated(sampled, shop_rows(20, 22, 0));
        }).starts_with("the samples of a higher-order model cannot take in new features"));
}

TEST_CASE("users who were held out whole are told nearly as by a training on all") {
  for (const Learner learner : {Learner::adam, Learner::mcmc}) {
    CAPTURE(to_string(learner));
    const std::int64_t epochs = learner == Learner::mcmc ? 60 : 150;
    const std::string known = shop_rows(0, 36, 0), news = shop_rows(36, 40, 0), test = shop_rows(36, 40, 1);
    const TrainedModel model = shop_model(known, learner, epochs);
    const Updated now = updated(model, news);
    const TrainedModel all = shop_model(known + news.substr(news.find('\n') + 1), learner, epochs);
    const double folded = std::sqrt(error_on(now.model, test));
    CHECK(folded < std::sqrt(error_on(all, test)) + 0.02);
    CHECK(folded < 0.4 * std::sqrt(error_on(model, test)));
    CHECK(error_on(now.model, shop_rows(0, 36, 1)) == doctest::Approx(error_on(model, shop_rows(0, 36, 1))));
    if (learner != Learner::mcmc) continue;
    // A sample's draws lie around its means.
    CHECK(model.noise > 0);
    const auto user =
        static_cast<std::int64_t>(std::find(now.is_new.begin(), now.is_new.end(), true) - now.is_new.begin());
    CHECK(now.model.samples.draws[0].at("W").at(user) != now.model.samples.draws[1].at("W").at(user));
    CHECK(now.model.samples.draws[0].at("W").at(user) ==
          doctest::Approx(now.model.samples.means[0].at("W").at(user)).epsilon(1));
  }
}

TEST_CASE("a training goes on from a model, and is no worse for it") {
  const std::string known = shop_rows(0, 20, 0), news = shop_rows(16, 24, 0);
  const TrainedModel model = shop_model(known, Learner::adam, 100);
  const ScratchFile file(news, ".csv");
  TrainingOptions options;
  options.epochs = 20;
  options.rate = 0.01;
  const TrainingSet set = load_training_set({.path = file.path()}, {}, options, {}, &model);
  CHECK(options.factors == 3);
  CHECK(options.l2_v == 0);
  const TrainingStart start = start_of(set, options, *set.train);
  Trainer trainer(set.train, set.validation, set.columns, options, {}, start);
  CHECK(trainer.target_scale().mean == model.target_scale.mean);
  CHECK(trainer.parameters() == start.parameters);
  trainer.run();
  TrainedModel more = untrained_model(set, options);
  more.parameters = trainer.parameters();
  more.target_scale = trainer.target_scale();
  CHECK(error_on(more, shop_rows(20, 24, 1)) < 0.1 * error_on(model, shop_rows(20, 24, 1)));
  CHECK(error_on(more, shop_rows(16, 20, 1)) < 1.05 * error_on(model, shop_rows(16, 20, 1)));

  // Steps that only do harm leave the start.
  TrainingOptions wild = options;
  wild.rate = 30;
  wild.optimizer = Learner::sgd;
  wild.epochs = 2;
  wild.clip_norm = 1;
  Trainer harmed(set.train, set.validation, set.columns, wild, {}, start);
  harmed.run();
  CHECK(harmed.best_epoch() == 0);
  CHECK(harmed.parameters() == start.parameters);
  // And a state that is taken up again knows it.
  const Folder folder;
  Trainer first(set.train, set.validation, set.columns, wild, {}, start);
  first.run({}, 1);
  first.save(folder / "state");
  Trainer second(set.train, set.validation, set.columns, wild, {}, start);
  second.restore(folder / "state");
  second.run();
  CHECK(second.parameters() == start.parameters);

  const auto refused = [&](TrainingOptions with) {
    std::string what = refusal<ValueError>([&] { load_training_set({.path = file.path()}, {}, with, {}, &model); });
    return what.starts_with(file.path()) ? what.substr(file.path().size()) : what;
  };
  TrainingOptions other;
  other.factors = 5;
  CHECK(refused(other) == ".factors is 5, but that of the model to go on from is 3");
  other = {};
  other.optimizer = Learner::als;
  CHECK(refused(other) ==
        ": als learns from these rows alone, and would forget 16 of the model's 50 features, which none of them has; "
        "rows of its training beside them keep them, and fold_in learns what is new alone");
}

}  // namespace
}  // namespace gradus
