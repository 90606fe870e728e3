// Training as a library: options and their texts, the step they describe, the loop, what is stopped when, what is kept.
#include "folder.h"
#include "ratings.h"
#include "refusal.h"

#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/training/training_settings.h>
#include <gradus/models/training/training_step.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace gradus;

namespace {

TrainingOptions regression() {
  TrainingOptions options;
  options.task = Task::regression;
  options.batch = 64;
  return options;
}

// The values of one number after each of some steps down w^2, from 1.
std::vector<double> course(const TrainingOptions& options, std::int64_t epoch_steps, int steps) {
  Graph g;
  const Expr w = g.variable("w", ones({1}));
  const TrainingStep step = training_step(reduce_sum(square(w)), {w}, options, epoch_steps);
  Session session(g);
  std::vector<double> out;
  for (int i = 0; i < steps; ++i) {
    session.run(step.run);
    out.push_back(session.value(w).item());
  }
  return out;
}

// What each step took off w, as a part of its gradient 2 w: the learning rate of sgd.
std::vector<double> rates(const TrainingOptions& options, std::int64_t epoch_steps, int steps) {
  std::vector<double> out;
  double before = 1;
  for (const double after : course(options, epoch_steps, steps)) {
    out.push_back((before - after) / (2 * before));
    before = after;
  }
  return out;
}

void check_close(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-4));
}

}  // namespace

TEST_CASE("options go to JSON and back") {
  TrainingOptions options;
  options.optimizer = Learner::ftrl;
  options.rate = 0.125;
  options.hidden = {7, 8};
  options.seed = ~std::uint64_t{0};
  options.nesterov = true;
  const TrainingOptions back = training_options_from_json(to_json(options), "m");
  CHECK(difference(options, back).empty());
  CHECK(back.seed == options.seed);
  CHECK(difference(options, TrainingOptions()) == ".hidden is 7,8 but was 64,32");
  CHECK(refusal<IoError>([] { training_options_from_json("[]", "m"); }) == "m: its options are not a JSON object");
  CHECK(refusal<IoError>([] { training_options_from_json("{}", "m"); }) == "m: its options lack \"kind\"");
  std::string text = to_json(options);
  text.replace(text.find("0.125"), 5, "\"x\"");
  CHECK(refusal<IoError>([&] { training_options_from_json(text, "m"); }) == "m: its option \"rate\" is \"x\"");
  text.replace(text.find("\"x\""), 3, "-1");
  CHECK(refusal<IoError>([&] { training_options_from_json(text, "m"); }) ==
        "m: .rate is -1; a number of at least 0 is expected");
}

TEST_CASE("every setting has a name of its own and a default that it may have") {
  TrainingOptions options;
  CHECK_NOTHROW(check(options));
  std::vector<std::string_view> names;
  for (const Setting& setting : settings(options)) {
    CHECK(std::find(names.begin(), names.end(), setting.name) == names.end());
    CHECK(!setting.what.empty());
    CHECK(!setting.group.empty());
    names.push_back(setting.name);
  }
}

TEST_CASE("each optimizer is itself") {
  TrainingOptions options;
  options.rate = 0.1;
  const auto first = [&](Learner learner) {
    options.optimizer = learner;
    return course(options, 1, 1)[0];
  };
  CHECK(first(Learner::sgd) == doctest::Approx(1 - 0.1 * 2));
  CHECK(first(Learner::momentum) == doctest::Approx(1 - 0.1 * 2));
  CHECK(first(Learner::adagrad) == doctest::Approx(1 - 0.1 * 2 / std::sqrt(0.1 + 4)));
  CHECK(first(Learner::rmsprop) == doctest::Approx(1 - 0.1 * 2 / std::sqrt(0.9 + 0.1 * 4)));
  CHECK(first(Learner::adam) == doctest::Approx(1 - 0.1).epsilon(1e-5));
  CHECK(first(Learner::adamw) == doctest::Approx(1 - 0.1 - 0.1 * 0.004).epsilon(1e-5));
  CHECK(first(Learner::adadelta) == doctest::Approx(1 - 0.1 * 2 * std::sqrt(1e-8) / std::sqrt(0.05 * 4 + 1e-8)));
  // A start is forgotten: w follows from the gradient alone.
  CHECK(first(Learner::ftrl) ==
        doctest::Approx(-(2 - (std::sqrt(4.1) - std::sqrt(0.1)) / 0.1) / (std::sqrt(4.1) / 0.1)));
  options.nesterov = true;
  CHECK(first(Learner::momentum) == doctest::Approx(1 - 0.1 * (2 + 0.9 * 2)));
}

TEST_CASE("schedules change the rate epoch by epoch") {
  TrainingOptions options;
  options.optimizer = Learner::sgd;
  options.rate = 0.1;
  options.schedule = RateSchedule::exponential;
  options.schedule_decay = 0.5;
  check_close(rates(options, 2, 6), {0.1, 0.1, 0.05, 0.05, 0.025, 0.025});
  options.schedule = RateSchedule::steps;
  options.schedule_at = {1, 2};
  check_close(rates(options, 2, 6), {0.1, 0.1, 0.05, 0.05, 0.025, 0.025});
  options.schedule = RateSchedule::cosine;
  options.epochs = 2;
  check_close(rates(options, 2, 4),
              {0.1, 0.05 * (1 + std::cos(std::acos(-1.) / 4)), 0.05, 0.05 * (1 + std::cos(std::acos(-1.) * 3 / 4))});
}

TEST_CASE("gradients are clipped by value and by norm") {
  TrainingOptions options;
  options.optimizer = Learner::sgd;
  options.rate = 0.1;
  options.clip_value = 0.5;
  CHECK(course(options, 1, 1)[0] == doctest::Approx(1 - 0.1 * 0.5));
  options.clip_value = 0;
  options.clip_norm = 0.25;
  CHECK(course(options, 1, 1)[0] == doctest::Approx(1 - 0.1 * 0.25));
}

TEST_CASE("a trainer learns, and keeps the parameters of its best epoch") {
  const auto [train, validation] = ratings(2000).split(0.2, 1);
  TrainingOptions options = regression();
  options.rate = 0.02;
  options.epochs = 12;
  options.patience = 0;
  Trainer trainer(train, validation, {}, options);
  std::vector<EpochRecord> seen;
  std::int64_t batches = 0;
  CHECK(trainer.run({.batch = [&](const EpochProgress& p) { batches += p.batch == p.batches ? p.batches : 0; },
                     .epoch = [&](const EpochRecord& record) { seen.push_back(record); }}) == Ending::all_epochs);
  REQUIRE(seen.size() == 12);
  CHECK(batches == 12 * 25);
  CHECK(seen.back().loss < 0.5 * seen.front().loss);
  const double best = seen[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation;
  for (const EpochRecord& record : seen) CHECK(record.validation >= best);
  CHECK(trainer.evaluate_on(validation).main() == best);
  // As many epochs as were best give these parameters: the later ones left no trace.
  options.epochs = trainer.best_epoch();
  Trainer shorter(train, validation, {}, options);
  shorter.run();
  CHECK(shorter.parameters() == trainer.parameters());
}

TEST_CASE("training stops early where the validation set says so") {
  const auto [train, validation] = ratings(400).split(0.5, 1);
  TrainingOptions options = regression();
  options.rate = 0.3;  // it soon learns the rows by heart
  options.l2_v = options.l2_w = 0;
  options.epochs = 500;
  options.patience = 4;
  Trainer trainer(train, validation, {}, options);
  CHECK(trainer.run() == Ending::no_improvement);
  CHECK(trainer.epochs_done() == trainer.best_epoch() + 4);
  CHECK(trainer.run() == Ending::no_improvement);  // and does not go on
  CHECK(trainer.epochs_done() == trainer.best_epoch() + 4);
}

TEST_CASE("training stops at the first loss that is not finite") {
  TrainingOptions options = regression();
  options.optimizer = Learner::sgd;
  options.rate = 1e6;
  Trainer trainer(ratings(200), {}, {}, options);
  const std::string what = refusal<DivergedError>([&] { trainer.run(); });
  CHECK(what.starts_with("the loss is no finite number any more in epoch 1, batch "));
  CHECK(what.find(" of 4: lower .rate, which is 1000000, or set .clip_norm 1; ") != std::string::npos);
}

TEST_CASE("a file without the newer settings has their defaults") {
  std::string text = to_json(TrainingOptions());
  const std::size_t at = text.find("\"samples\":");
  REQUIRE(at != std::string::npos);
  text.erase(at, text.find(',', at) + 1 - at);
  CHECK(training_options_from_json(text, "m").samples == 25);
}

TEST_CASE("a state that is written and read goes on to the bit") {
  const Folder folder;
  const auto [train, validation] = ratings(500).split(0.2, 1);
  for (const Learner optimizer : {Learner::sgd, Learner::momentum, Learner::adagrad, Learner::adadelta,
                                  Learner::rmsprop, Learner::adam, Learner::adamw, Learner::ftrl}) {
    CAPTURE(to_string(optimizer));
    TrainingOptions options = regression();
    options.optimizer = optimizer;
    options.epochs = 4;
    options.schedule = RateSchedule::cosine;
    Trainer whole(train, validation, {}, options);
    whole.run();
    int left = 10;  // batches, to the middle of the second epoch
    Trainer first(train, validation, {}, options);
    CHECK(first.run({.stop = [&] { return --left == 0; }, .checkpoint = folder / "state"}) == Ending::stopped);
    Trainer second(train, validation, {}, options, {.threads = 2});
    second.restore(folder / "state");
    CHECK(second.epochs_done() == 1);
    CHECK(second.batches_done() > 0);
    second.run();
    CHECK(second.parameters() == whole.parameters());
    CHECK(second.best_epoch() == whole.best_epoch());
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(second.history()[i].loss == whole.history()[i].loss);
      CHECK(second.history()[i].validation == whole.history()[i].validation);
    }
  }
}

TEST_CASE("a training by blocks goes on to the bit, and needs no more of them than one at a time") {
  const Folder folder;
  std::vector<SharedBlocks> parts;
  const Rows rows = ratings(500);
  for (std::int64_t first = 0; first < 500; first += 70)
    parts.push_back(in_one_block(rows.range(first, std::min<std::int64_t>(70, 500 - first))));
  const SplitBlocks divided = split(joined(parts), 0.2, 1);
  const SharedBlocks &train = divided.train, &validation = divided.validation;
  TrainingOptions options = regression();
  options.epochs = 4;
  options.schedule = RateSchedule::cosine;
  Trainer whole(train, validation, {}, options);
  whole.run();
  CHECK(whole.history().back().loss < whole.history().front().loss);
  for (const int stop : {1, 3, 8, 15}) {  // batches, of 7 an epoch
    CAPTURE(stop);
    int left = stop;
    Trainer first(train, validation, {}, options);
    CHECK(first.run({.stop = [&] { return --left == 0; }, .checkpoint = folder / "state"}) == Ending::stopped);
    Trainer second(train, validation, {}, options, {.threads = 2});
    second.restore(folder / "state");
    second.run();
    CHECK(second.parameters() == whole.parameters());
    CHECK(second.history().back().validation == whole.history().back().validation);
  }
  CHECK(refusal<IoError>([&] {
          Trainer(train, nullptr, {}, options).restore(folder / "state");
        }).ends_with(": is of a training on other data"));
  options.batch = 0;
  CHECK(refusal<ValueError>([&] { Trainer(train, validation, {}, options); }) ==
        "Trainer: a batch of all rows needs all rows at once, but they are in blocks");
}

TEST_CASE("what options leave open is found out from the size of the data, and what they say stays") {
  const TrainingOptions small = settled({}, {.rows = 450, .features = 35, .non_zeros = 900});
  CHECK(*small.batch == 16);
  CHECK(*small.epochs == 172);  // of 29 steps
  CHECK(*small.patience == 10);
  CHECK(small.l2_over == L2Over::all);
  CHECK(*small.l2_w == doctest::Approx(0.5 / 450));
  CHECK(*small.l2_v == doctest::Approx(10. / 450));
  CHECK(*small.init_stddev == 0.05);
  const TrainingOptions large = settled({}, {.rows = 4e7, .features = 1e6, .non_zeros = 39 * 4e7});
  CHECK(*large.batch == 1024);
  CHECK(*large.epochs == 50);
  CHECK(*large.patience == 3);
  CHECK(large.l2_over == L2Over::touched);
  CHECK(*large.l2_v == doctest::Approx(10. / (39 * 40)));  // by how often a feature occurs
  // Rows of many features begin with interactions of little.
  CHECK(*settled({}, {.rows = 60, .features = 2e5, .non_zeros = 60 * 2e4}).init_stddev < 0.002);
  TrainingOptions said;
  said.batch = 7;
  said.epochs = 8;
  said.patience = 9;
  said.l2_v = 0.5;
  said.init_stddev = 0.25;
  said.l2_over = L2Over::all;
  said.l2_w = 0;
  CHECK(difference(settled(said, {.rows = 450, .features = 35, .non_zeros = 900}), said).empty());
  // A penalty that is named is meant as libFM's.
  TrainingOptions named;
  named.l2_v = 0.5;
  CHECK(settled(named, {.rows = 450, .features = 35, .non_zeros = 900}).l2_over == L2Over::touched);
  CHECK(to_json(TrainingOptions()).find("\"batch\":null") != std::string::npos);
  CHECK(difference(said, TrainingOptions()).find("was left open") != std::string::npos);
}

TEST_CASE("targets of any size are learnt alike, and losses are in their units") {
  const Rows rows = ratings(600);
  const auto trained = [&](double times, double plus) {
    Rows data = rows;
    std::vector<double> y;
    for (const double target : rows.y) y.push_back(times * target + plus);
    data.y = Tensor::from(y, rows.y.shape()).cast(float32);
    const auto [train, validation] = data.split(0.2, 1);
    TrainingOptions options = regression();
    options.epochs = 40;
    Trainer trainer(train, validation, {}, options);
    trainer.run();
    const Evaluation found = trainer.evaluation();
    CHECK(found.main() ==
          doctest::Approx(trainer.history()[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation));
    CHECK(trainer.constant_loss() > 5 * found.main());
    CHECK(trainer.target_scale().deviation == doctest::Approx(times * 1.27).epsilon(0.1));
    CHECK(trainer.history()[0].loss < 2 * trainer.constant_loss());
    return found.main() / (times * times);
  };
  const double usual = trained(1, 0);
  CHECK(trained(0.001, 0) == doctest::Approx(usual).epsilon(0.02));
  CHECK(trained(1e6, 3e6) == doctest::Approx(usual).epsilon(0.02));
}

TEST_CASE("the constant's loss is that of the best constant of the rows learnt from") {
  const auto column = [](const std::vector<float>& y) { return Tensor::from(y, {std::ssize(y), 1}); };
  const auto summary = [&](const std::vector<float>& y) {
    DataSummary out;
    out.add({ratings(std::ssize(y)).x, column(y)});
    return out;
  };
  CHECK(loss_of_constant(Task::regression, summary({1, 3}), summary({2, 5})) == doctest::Approx(4.5));
  CHECK(loss_of_constant(Task::binary, summary({1, -1, -1, -1}), summary({1, -1})) ==
        doctest::Approx(-(std::log(0.25) + std::log(0.75)) / 2));
  CHECK(loss_of_constant(Task::ranking, summary({1, -1}), summary({1, -1})) == doctest::Approx(std::log(2.0)));
  // Of 2, 1 and 1 rows, with half a row more of each.
  CHECK(loss_of_constant(Task::multiclass, summary({0, 0, 1, 2}), summary({1})) ==
        doctest::Approx(-std::log(1.5 / 5.5)));
  // A deviation far below the mean is not lost in rounding.
  CHECK(summary({3e6F, 3e6F + 1}).target_scale().deviation == doctest::Approx(0.5));
}

TEST_CASE("another metric may say which epoch is best") {
  Rows data = ratings(600);
  std::vector<float> y;
  for (const double target : data.y) y.push_back(target > 3 ? 1.0F : -1.0F);
  data.y = Tensor::from(y, data.y.shape());
  const auto [train, validation] = data.split(0.3, 1);
  TrainingOptions options = regression();
  options.task = Task::binary;
  options.epochs = 20;
  options.patience = 0;
  options.stop_by = Metric::auc;
  Trainer trainer(train, validation, {}, options);
  trainer.run();
  const std::vector<EpochRecord>& history = trainer.history();
  const double best = history[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation;
  for (const EpochRecord& record : history) CHECK(record.validation <= best);
  CHECK(trainer.evaluation().of("auc") == best);
  options.stop_by = Metric::mse;
  CHECK(refusal<ValueError>([&, rows = train, held_out = validation] { Trainer(rows, held_out, {}, options); }) ==
        ".stop_by is mse, but the metrics of a binary task are log loss, auc, accuracy");
}
