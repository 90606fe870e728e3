// fm train: data are read, a model is learnt, what it is worth is said, and it is written.
#include "commands.h"
#include "output.h"

#include <gradus/core/error.h>
#include <gradus/models/progress.h>
#include <gradus/models/training_step.h>

#include <fmt/format.h>

#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <optional>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

volatile std::sig_atomic_t interrupted = 0;

// While it lives, Ctrl-C and a request to end only say so; a second one ends the program at once.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    ::sigaction(SIGINT, &action, &old_interrupt_);
    ::sigaction(SIGTERM, &action, &old_end_);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  ~Interruptions() {
    ::sigaction(SIGINT, &old_interrupt_, nullptr);
    ::sigaction(SIGTERM, &old_end_, nullptr);
  }

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_end_ {};
};

std::string describe_model(const TrainingOptions& o) {
  std::string text = o.model;
  if (o.model == "higher-order") text += fmt::format(" of order {}", o.order);
  if (o.model != "linear") text += fmt::format(", {} factors", o.factors);
  text += fmt::format("; {}, {}, rate {:g}", o.task, o.optimizer, o.rate == 0 ? usual_rate(o) : o.rate);
  if (o.schedule != "constant") text += fmt::format(" ({})", o.schedule);
  if (o.l2_w0 != 0) text += fmt::format(", l2-w0 {:g}", o.l2_w0);
  if (o.l2_w != 0) text += fmt::format(", l2-w {:g}", o.l2_w);
  if (o.l2_v != 0) text += fmt::format(", l2-v {:g}", o.l2_v);
  return text + (o.batch == 0 ? "; all rows a step" : fmt::format("; {} rows a step", o.batch)) +
         fmt::format("; seed {}", o.seed);
}

std::string per_second(double examples, double seconds) {
  const double rate = examples / seconds;
  if (!std::isfinite(rate)) return "-";
  if (rate >= 1e6) return fmt::format("{:.1f} M", rate / 1e6);
  return rate >= 1e3 ? fmt::format("{:.1f} k", rate / 1e3) : fmt::format("{:.0f}", rate);
}

// What a training shows while it goes on.
class EpochTable {
 public:
  EpochTable(const TrainingSet& set, const TrainingOptions& options, bool shown)
      : examples_(static_cast<double>(set.train.size())),
        validates_(set.validation.x.rank() == 2),
        epochs_(options.epochs),
        metric_(main_metric(options.task)),
        shown_(shown) {
    if (!shown_) return;
    fmt::print("{:>5}  {:>14}", "epoch", "train " + loss_name(options.task));
    if (validates_) fmt::print("  {:>14}", "valid " + metric_);
    fmt::print("  {:>10}\n", "examples/s");
  }

  void batch(const EpochProgress& p) {
    if (!bar_) bar_.emplace(fmt::format("epoch {:>{}}/{}", p.epoch, fmt::formatted_size("{}", epochs_), epochs_));
    const double left = p.seconds * static_cast<double>(p.batches - p.batch) / static_cast<double>(p.batch);
    if (bar_->due())
      bar_->show(p.batch, p.batches,
                 fmt::format("loss {:.4f}{}  {} examples/s  {:.0f} s left", p.loss,
                             std::isnan(p.validation) ? "" : fmt::format("  valid {} {:.4f}", metric_, p.validation),
                             per_second(static_cast<double>(p.rows), p.seconds), left));
  }

  void epoch(const EpochRecord& record) {
    bar_.reset();
    if (!shown_) return;
    fmt::print("{:>5}  {:>14.4f}", record.epoch, record.loss);
    if (validates_) fmt::print("  {:>14.4f}", record.validation);
    fmt::print("  {:>10}\n", per_second(examples_, record.seconds));
    std::fflush(stdout);
  }

 private:
  static std::string loss_name(const std::string& task) { return task == "regression" ? "mse" : "log loss"; }

  double examples_;
  bool validates_;
  std::int64_t epochs_;
  std::string metric_;
  bool shown_;
  std::optional<Bar> bar_;
};

std::string ending_name(Ending ending) {
  switch (ending) {
    case Ending::all_epochs: return "all epochs";
    case Ending::no_improvement: return "no improvement";
    case Ending::stopped: break;
  }
  return "stopped";
}

// Says how to go on, and with which exit code.
int interrupted_at(const Trainer& trainer, const TrainCommand& command, const std::string& checkpoint) {
  const std::string where =
      fmt::format("interrupted in epoch {} after {} of its batches", trainer.epochs_done() + 1, trainer.batches_done());
  if (checkpoint.empty()) {
    fmt::print(stderr, "fm: {}; nothing is kept, since no --model is named\n", where);
  } else {
    const std::string again = command.command_line + (command.resume ? "" : " --resume");
    fmt::print(stderr, "fm: {}; {} is saved; go on with: {}\n", where, checkpoint, again);
  }
  return 1;
}

}  // namespace

int train(const TrainCommand& command) {
  const TrainerOptions where = trainer_options(command.common);
  if (command.resume && command.model.empty())
    fail<ValueError>("--resume goes on from MODEL.checkpoint, but no --model is named");
  const bool text = !command.common.json;
  TrainingOptions options = command.options;
  DataFile data = data_file(command.data);
  data.read.threads = command.common.threads;
  DataFile validation;
  validation.path = command.validation;
  validation.weights = command.validation_weights;
  TrainingSet set = load_training_set(data, validation, options);
  const std::int64_t held_out = set.validation.x.rank() == 2 ? set.validation.size() : 0;
  if (text) {
    fmt::print("{}: {}, {} examples, {}\n", set.about.name, to_string(set.about.format),
               set.train.size() + (validation.path.empty() ? held_out : 0),
               describe_features(set.train.x.dim(1), set.about.table.get()));
    if (!set.about.target.empty() && command.data.file.read.target.empty() && set.about.format != Format::movielens)
      fmt::print("target: {} (--target names another)\n", set.about.target);
    if (held_out > 0)
      fmt::print("validation: {} examples{}\n", held_out,
                 validation.path.empty() ? " held out" : fmt::format(" of {}", validation.path));
    print_counts({}, set.about.missing, set.about.table.get());
    fmt::print("model: {}\n", describe_model(options));
    std::fflush(stdout);
  }

  Trainer trainer(set.train, set.validation, set.about.field.get(), options, where);
  const std::string checkpoint = command.model.empty() ? "" : command.model + ".checkpoint";
  if (command.resume && ::access(checkpoint.c_str(), F_OK) == 0) {
    trainer.restore(checkpoint);
    if (text) fmt::print("resumed: {} epochs and {} batches are done\n", trainer.epochs_done(), trainer.batches_done());
  } else if (command.resume) {
    fmt::print(stderr, "fm: {} is not there; training begins at the beginning\n", checkpoint);
  }
  EpochTable table(set, options, text && !command.quiet);
  Ending ending = Ending::all_epochs;
  {
    const Interruptions caught;
    Watcher watcher{.epoch = [&](const EpochRecord& record) { table.epoch(record); },
                    .stop = [] { return interrupted != 0; },
                    .checkpoint = checkpoint,
                    .checkpoint_every = command.checkpoint_every};
    if (Bar::is_seen()) watcher.batch = [&](const EpochProgress& progress) { table.batch(progress); };
    ending = trainer.run(watcher);
  }
  if (ending == Ending::stopped) return interrupted_at(trainer, command, checkpoint);

  TrainedModel model = untrained_model(set, options);
  model.parameters = trainer.parameters();
  model.metrics["epochs"] = static_cast<double>(trainer.best_epoch());
  if (held_out > 0)
    model.metrics["validation " + main_metric(options.task)] =
        trainer.history()[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation;
  if (text && held_out > 0)
    fmt::print("best epoch: {}, validation {} {:.4f}{}\n", trainer.best_epoch(), main_metric(options.task),
               trainer.history()[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation,
               ending == Ending::no_improvement ? "; stopped early" : "");
  std::optional<FileEvaluation> test;
  if (!command.test.empty()) {
    Predictor predict(model, command.model, where);
    DataFile file;
    file.path = command.test;
    file.read.threads = command.common.threads;
    test = evaluate_file(model, predict, file);
    for (const auto& [name, value] : test->evaluation.metrics) model.metrics["test " + name] = value;
    if (text) {
      fmt::print("test: {}: {} examples: {}\n", test->name, test->evaluation.examples, to_string(test->evaluation));
      print_counts(test->unseen, test->missing, model.table.get());
    }
  }
  if (!command.model.empty()) {
    save_model(command.model, model);
    ::unlink(checkpoint.c_str());  // it has done its work; if there is none, all the better
    if (text) fmt::print("model: {}\n", command.model);
  } else if (text) {
    fmt::print("The model is not kept: --model FILE keeps it.\n");
  }
  if (command.common.json)
    print_json({&set, &model, &trainer.history(), trainer.best_epoch(), ending_name(ending), test ? &*test : nullptr,
                command.model});
  return 0;
}

}  // namespace fm
