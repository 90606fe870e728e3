// Training by als and mcmc: taken up again from any epoch, and what is evaluated, kept and told.
#include "folder.h"
#include "ratings.h"
#include "refusal.h"

#include <gradus/models/training/predictor.h>
#include <gradus/models/training/trainer.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

using namespace gradus;

TEST_CASE("a state of als and mcmc goes on to the bit from any epoch") {
  const Folder folder;
  const auto [train, validation] = ratings(500).split(0.2, 1);
  for (const Learner learner : {Learner::als, Learner::mcmc})
    for (const bool validated : {true, false}) {
      CAPTURE(to_string(learner));
      TrainingOptions options;
      options.task = Task::regression;
      options.optimizer = learner;
      options.epochs = 11;
      if (learner == Learner::mcmc) options.samples = 4;  // of stretches of 2 and 3 epochs
      const Rows held_out = validated ? validation : Rows{};
      Trainer whole(train, held_out, {}, options);
      whole.run();
      CHECK(whole.samples().count() == (learner == Learner::mcmc ? 4 : 0));
      for (int stop = 1; stop <= 11; ++stop) {
        CAPTURE(stop);
        int left = stop;
        Trainer first(train, held_out, {}, options);
        if (first.run({.stop = [&] { return --left == 0; }, .checkpoint = folder / "state"}) != Ending::stopped) break;
        Trainer second(train, held_out, {}, options, {.threads = 2});
        second.restore(folder / "state");
        second.run();
        CHECK(second.parameters() == whole.parameters());
        CHECK(second.samples().draws == whole.samples().draws);
        CHECK(second.samples().means == whole.samples().means);
        CHECK(second.evaluation().metrics == whole.evaluation().metrics);
        CHECK(second.best_epoch() == whole.best_epoch());
        REQUIRE(second.history().size() == whole.history().size());
        for (std::size_t i = 0; i < whole.history().size(); ++i) {
          CHECK(second.history()[i].loss == whole.history()[i].loss);
          if (validated) CHECK(second.history()[i].validation == whole.history()[i].validation);
        }
      }
    }
}

TEST_CASE("samples in a file without a name are those in memory, and leave nothing behind") {
  const Folder folder;
  const Rows train = ratings(500);
  TrainingOptions options;
  options.task = Task::regression;
  options.optimizer = Learner::mcmc;
  options.factors = 100;  // of which a file is made
  options.epochs = 12;
  options.samples = 6;
  Trainer in_memory(train, {}, {}, options);
  in_memory.run();
  Samples kept;
  {
    Trainer trainer(train, {}, {}, options, {.scratch = folder / ""});
    trainer.run();
    CHECK(folder.files().empty());
    CHECK(trainer.parameters() == in_memory.parameters());
    CHECK(trainer.evaluation().metrics == in_memory.evaluation().metrics);
    kept = trainer.samples();
  }
  CHECK(kept.draws == in_memory.samples().draws);
  CHECK(kept.means == in_memory.samples().means);
  const std::string nowhere = folder / "nowhere";
  Trainer trainer(train, {}, {}, options, {.scratch = nowhere});
  const std::string message = refusal<IoError>([&] { trainer.run(); });
  CHECK(message.starts_with(nowhere + ": no file of "));
  CHECK(message.ends_with("bytes for samples can be made there: No such file or directory"));
}

TEST_CASE("a training of als or mcmc that has ended goes on from an earlier state") {
  const Folder folder;
  const Rows train = ratings(200);
  for (const Learner learner : {Learner::als, Learner::mcmc}) {
    TrainingOptions options;
    options.task = Task::regression;
    options.optimizer = learner;
    options.epochs = 6;
    Trainer trainer(train, {}, {}, options);
    int left = 3;
    CHECK(trainer.run({.stop = [&] { return --left == 0; }, .checkpoint = folder / "state"}) == Ending::stopped);
    trainer.run();
    const Parameters ended = trainer.parameters();
    trainer.save(folder / "ended");
    trainer.restore(folder / "state");
    CHECK(trainer.epochs_done() == 3);
    trainer.run();
    CHECK(trainer.parameters() == ended);
    trainer.restore(folder / "ended");
    CHECK(trainer.parameters() == ended);
  }
}

TEST_CASE("evaluations of many rows are those of their parts") {
  const Rows all = ratings(70000);
  TrainingOptions options;
  options.task = Task::regression;
  options.optimizer = Learner::mcmc;
  options.factors = 2;
  options.epochs = 3;
  Trainer trainer(all, {}, {}, options);
  trainer.run();
  double squares = 0;
  for (const std::int64_t first : {0, 40000}) {
    const std::int64_t count = std::min<std::int64_t>(40000, 70000 - first);
    const Rows part{all.x.row_range(first, count), all.y.row_range(first, count)};
    squares += trainer.evaluate_on(part).of("mse") * static_cast<double>(count);
  }
  CHECK(trainer.evaluation().of("mse") == doctest::Approx(squares / 70000).epsilon(1e-6));
}

TEST_CASE("what mcmc evaluates and tells is the mean of what its samples tell") {
  const auto [train, validation] = ratings(500).split(0.2, 1);
  TrainingOptions options;
  options.task = Task::regression;
  options.optimizer = Learner::mcmc;
  options.epochs = 30;
  options.samples = 5;
  Trainer trainer(train, validation, {}, options);
  trainer.run();
  CHECK(trainer.best_epoch() == 30);
  CHECK(trainer.evaluation().main() == trainer.history().back().validation);
  CHECK(trainer.evaluation().main() < 0.1 * trainer.constant_loss());

  TrainedModel model;
  model.options = trainer.options();
  model.columns.count = train.x.dim(1);
  model.target_range = {3, 4};
  model.target_scale = trainer.target_scale();
  model.parameters = trainer.parameters();
  model.samples = trainer.samples();
  const Folder folder;
  save_model(folder / "m", model);
  const TrainedModel read = load_model(folder / "m");
  CHECK(read.samples.means == model.samples.means);
  CHECK(read.samples.draws == model.samples.draws);
  Predictor predict(read, folder / "m");
  const Tensor x = validation.x.row_range(0, 8);
  const Tensor told = predict.all(x), deviation = predict.deviations(x);
  const auto told_by = [&](const Parameters& parameters) {
    TrainedModel one = read;
    one.options.optimizer = Learner::als;
    one.parameters = parameters;
    one.samples = {};
    return Predictor(one, "one").all(x);
  };
  for (std::int64_t n = 0; n < 8; ++n) {
    double mean = 0, of_draws = 0, squares = 0;
    for (std::size_t s = 0; s < 5; ++s) {
      mean += told_by(read.samples.means[s]).at(n, 0) / 5;
      of_draws += told_by(read.samples.draws[s]).at(n, 0) / 5;
      squares += std::pow(told_by(read.samples.draws[s]).at(n, 0), 2) / 5;
    }
    CHECK(told.at(n, 0) == doctest::Approx(mean).epsilon(1e-6));
    CHECK(std::abs(deviation.at(n, 0) - std::sqrt(std::max(squares - of_draws * of_draws, 0.0) * 5 / 4)) < 1e-3);
  }
  CHECK(refusal<IoError>([&] {
          model.options.optimizer = Learner::als;
          model.options.samples = TrainingOptions().samples;
          save_model(folder / "other", model);
          load_model(folder / "other");
        }).ends_with("is damaged: it has 6 tensors of 5 samples, but was learnt by als"));
}
