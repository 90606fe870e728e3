// fm train: data are read, a model is learnt, what it is worth is said, and it is written.
#include "commands.h"
#include "epoch_table.h"
#include "output.h"
#include "records.h"

#include <gradus/core/error.h>
#include <gradus/core/file.h>
#include <gradus/models/training/progress.h>
#include <gradus/models/training/search.h>
#include <gradus/models/training/training_step.h>

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
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

// How other files are read that are as the training data: what columns are is known by then.
ReadOptions like(const DataFile& data) {
  ReadOptions read;
  read.format = data.read.format;
  read.delimiter = data.read.delimiter;
  read.form = data.read.form;
  read.duplicates = data.read.duplicates;
  read.other_field = data.read.other_field;
  return read;
}

void check_writable(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail_with_system(errno, path, "cannot be written");
}

// A training and what it came to.
struct Trained {
  std::unique_ptr<Trainer> trainer;
  Ending ending = Ending::all_epochs;
  std::map<std::string, Tensor> parameters{};
};

// Trains once: to the best epoch, or until it is interrupted.
Trained train_once(const TrainingSet& set, const TrainingOptions& options, const TrainCommand& command,
                   const std::string& checkpoint, Logs& logs) {
  Trained out{
      std::make_unique<Trainer>(set.train, set.validation, set.columns, options, trainer_options(command.common))};
  const bool text = !command.common.json;
  if (command.resume && ::access(checkpoint.c_str(), F_OK) == 0) {
    out.trainer->restore(checkpoint);
    if (text)
      fmt::print("resumed: {} epochs and {} batches are done\n", out.trainer->epochs_done(),
                 out.trainer->batches_done());
  } else if (command.resume) {
    fmt::print(stderr, "fm: {} is not there; training begins at the beginning\n", checkpoint);
  }
  EpochTable table(set, options, text && !command.quiet);
  Watcher watcher{.epoch =
                      [&](const EpochRecord& record) {
                        table.epoch(record);
                        logs.epoch(record);
                      },
                  .stop = [] { return interrupted != 0; },
                  .checkpoint = checkpoint,
                  .checkpoint_every = command.checkpoint_every};
  if (Bar::is_seen()) watcher.batch = [&](const EpochProgress& progress) { table.batch(progress); };
  out.ending = out.trainer->run(watcher);
  if (out.ending != Ending::stopped) out.parameters = out.trainer->parameters();
  return out;
}

// Trains again on all rows, as long as did best. The state that is kept, should it be interrupted, is the one before.
void refit(const TrainingSet& set, TrainingOptions options, const TrainCommand& command, const std::string& checkpoint,
           Trained& trained) {
  options.epochs = trained.trainer->best_epoch();
  Trainer again(all_rows(set), nullptr, set.columns, options, trainer_options(command.common));
  trained.ending = again.run({.stop = [] { return interrupted != 0; }});
  if (trained.ending == Ending::stopped) {
    if (!checkpoint.empty()) trained.trainer->save(checkpoint);
  } else {
    trained.parameters = again.parameters();
  }
}

void print_data(const TrainingSet& set, const TrainCommand& command) {
  const std::int64_t held_out = set.validation_size();
  fmt::print("{}: {}, {} examples, {}\n", set.about.name,
             set.about.format == Format::guess ? "cache" : to_string(set.about.format),
             set.train->size() + (command.validation.empty() ? held_out : 0),
             describe_features(set.features, set.about.table.get()));
  if (set.about.findings) print_findings(*set.about.findings);
  if (set.about.ids)
    fmt::print("indices lie far apart, so each of the {} that occur has a number of its own\n", set.features);
  if (set.about.streamed_mib > 0)
    fmt::print("streamed: {} blocks of {} MiB in all, more than --stream-above {}\n", set.train->blocks(),
               set.about.streamed_mib, command.options.stream_above);
  if (!set.about.target.empty() && command.data.file.read.target.empty())
    fmt::print("target: {} (--target names another)\n", set.about.target);
  if (set.one_two) fmt::print("classes: 1 and 2; what is told is the probability of 2\n");
  if (held_out > 0)
    fmt::print("validation: {} examples{}\n", held_out,
               command.validation.empty() ? " held out" : fmt::format(" of {}", command.validation));
  else if (command.options.valid_fraction > 0 && command.folds == 0)
    fmt::print("validation: none; of {} examples none can be spared\n", set.train->size());
  print_counts({}, set.about.missing, set.about.table.get());
}

int cross_validation(const TrainingSet& set, const TrainingOptions& options, const TrainCommand& command) {
  const bool text = !command.common.json;
  if (text) fmt::print("model: {}\n", describe_model(options));
  std::int64_t number = 0;
  const std::vector<ValidationFold> folds =
      cross_validate(set.train->block(0), set.columns, options, command.folds, trainer_options(command.common),
                     [&](const ValidationFold& fold) {
                       if (!text) return;
                       fmt::print("part {}: {} examples, {} epochs: {}\n", ++number, fold.evaluation.examples,
                                  fold.epochs, to_string(fold.evaluation));
                       std::fflush(stdout);
                     });
  if (!text) {
    print_json(folds);
    return 0;
  }
  fmt::print("mean:");
  for (std::size_t m = 0; m < folds.front().evaluation.metrics.size(); ++m) {
    double sum = 0, squares = 0;
    for (const ValidationFold& fold : folds) sum += fold.evaluation.metrics[m].second;
    const double mean = sum / static_cast<double>(folds.size());
    for (const ValidationFold& fold : folds) squares += std::pow(fold.evaluation.metrics[m].second - mean, 2);
    fmt::print("  {} {:.4f} +- {:.4f}", folds.front().evaluation.metrics[m].first, mean,
               std::sqrt(squares / static_cast<double>(folds.size() - 1)));
  }
  fmt::print("\n");
  return 0;
}

std::vector<Candidate> search_settings(const TrainingSet& set, TrainingOptions& options, const TrainCommand& command) {
  const bool text = !command.common.json;
  if (text)
    fmt::print("{:>6}  {:>10}  {:>8}  {:>10}  {:>14}\n", "epochs", "rate", "factors", "l2-v",
               "valid " + main_metric(options.task));
  std::vector<Candidate> all =
      search(set.train, set.validation, set.columns, options, trainer_options(command.common), [&](const Candidate& c) {
        if (interrupted != 0) fail<Error>("interrupted while searching; nothing is kept");
        if (!text) return;
        fmt::print("{:>6}  {:>10.4g}  {:>8}  {:>10.4g}  {:>14}\n", c.epochs, c.rate, c.factors, c.l2,
                   std::isfinite(c.validation) ? fmt::format("{:.4f}", c.validation) : "diverged");
        std::fflush(stdout);
      });
  if (text)
    fmt::print("best: --rate {:.4g} --factors {} --l2-v {:.4g} --l2-w {:.4g}\n", options.rate, options.factors,
               options.l2_v, options.l2_w);
  return all;
}

}  // namespace

int train(const TrainCommand& command) {
  // What would fail in the end is said at the beginning.
  trainer_options(command.common);
  for (const std::string& file : {command.model, command.report})
    if (!file.empty()) check_writable(file);
  const bool text = !command.common.json;
  TrainingOptions options = command.options;
  DataFile data = data_file(command.data);
  data.read.threads = command.common.threads;
  DataFile validation;
  validation.path = command.validation;
  validation.read = like(data);
  validation.weights = command.validation_weights;
  TrainingOptions loading = options;
  if (command.folds > 0) loading.valid_fraction = 0;
  const TrainingSet set = load_training_set(data, validation, loading, command.items);
  options.task = loading.task;
  if (command.folds > 0) refuse_streamed(set.about, "--cv");
  if (text) print_data(set, command);
  if (command.folds > 0) return cross_validation(set, options, command);

  const Interruptions caught;
  std::vector<Candidate> candidates;
  if (command.search) candidates = search_settings(set, options, command);
  if (text) fmt::print("model: {}\n", describe_model(options));
  const std::string checkpoint = command.model.empty() ? "" : command.model + ".checkpoint";
  Logs logs(command, set, options);
  Trained trained = train_once(set, options, command, checkpoint, logs);
  const bool validated = set.validation_size() > 0;
  const Trainer& trainer = *trained.trainer;
  const std::int64_t best = trainer.best_epoch();
  if (trained.ending == Ending::stopped) return interrupted_at(trainer, command, checkpoint);
  TrainedModel model = untrained_model(set, options);
  model.metrics["epochs"] = static_cast<double>(best);
  if (validated) {
    const double reached = trainer.history()[static_cast<std::size_t>(best) - 1].validation;
    model.metrics["validation " + main_metric(options.task)] = reached;
    if (text)
      fmt::print("best epoch: {}, validation {} {:.4f}{}\n", best, main_metric(options.task), reached,
                 trained.ending == Ending::no_improvement ? "; stopped early" : "");
  }
  const Ending ending = trained.ending;
  TrainedModel fitted = model;
  fitted.scale = {};  // the rows that it is shown are scaled already
  if (!command.report.empty()) fitted.parameters = trained.parameters;
  if (options.refit && validated) {
    refit(set, options, command, checkpoint, trained);
    if (trained.ending == Ending::stopped) return interrupted_at(trainer, command, checkpoint);
    if (text) fmt::print("refitted: {} epochs on all {} examples\n", best, set.train->size() + set.validation_size());
  }
  model.parameters = std::move(trained.parameters);

  std::optional<FileEvaluation> test;
  if (!command.test.empty()) {
    Predictor predict(model, command.model, trainer_options(command.common));
    DataFile file;
    file.path = command.test;
    file.read = like(data_file(command.data));
    file.read.threads = command.common.threads;
    test = evaluate_file(model, predict, file);
    for (const auto& [name, value] : test->evaluation.metrics) model.metrics["test " + name] = value;
    if (text) {
      fmt::print("test: {}: {} examples: {}\n", test->name, test->evaluation.examples, to_string(test->evaluation));
      print_counts(test->unseen, test->missing, model.table.get());
    }
  }
  logs.end(ending_name(ending), best, model);
  if (!command.report.empty()) {
    write_page(command, set, model, fitted, trainer.history(), best);
    if (text) fmt::print("report: {}\n", command.report);
  }
  if (!command.model.empty()) {
    save_model(command.model, model);
    ::unlink(checkpoint.c_str());  // it has done its work; if there is none, all the better
    if (text) fmt::print("model: {}\n", command.model);
  } else if (text) {
    fmt::print("The model is not kept: --model FILE keeps it.\n");
  }
  if (command.common.json)
    print_json({&set, &model, &trainer.history(), best, ending_name(ending), &candidates, test ? &*test : nullptr,
                command.model});
  return 0;
}

}  // namespace fm
