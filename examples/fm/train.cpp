// fm train: data are read, a model is learnt, what it is worth is said, and it is written.
#include "commands.h"
#include "epoch_table.h"
#include "files.h"
#include "interruptions.h"
#include "output.h"
#include "records.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include "../progress.h"
#include "search.h"
#include "training_data.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

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
      fmt::format("interrupted in epoch {}{}", trainer.epochs_done() + 1,
                  trainer.batches_done() == 0 ? ", before any of it"
                                              : fmt::format(" after {} of its batches", trainer.batches_done()));
  if (checkpoint.empty()) {
    say(stderr, "fm: {}; nothing is kept, since no --model is named\n", where);
  } else {
    const std::string again = command.command_line + (command.resume ? "" : " --resume");
    if (command.common.writes()) say(stderr, "fm: {}; {} is saved; go on with: {}\n", where, checkpoint, again);
  }
  // To a launcher an exit code other than 0 is a failure, at which it ends the other ranks.
  return command.common.ranks ? 0 : 1;
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

std::string checkpoint_of(const TrainCommand& command) {
  return command.model.empty() ? "" : command.model + ".checkpoint";
}

void check_files_of(const TrainCommand& command) {
  const std::string checkpoint = checkpoint_of(command);
  std::vector<InputFile> inputs{
      {"the data", command.data.file.path},        {"the file of --weights", command.data.file.weights},
      {"the file of --valid", command.validation}, {"the file of --valid-weights", command.validation_weights},
      {"the file of --test", command.test},        {"the file of --config", command.config}};
  for (const std::string& path : command.join) inputs.push_back({"the file of --join", path});
  check_files(std::move(inputs),
              {{"--model", command.model, FileKind::model},
               {"the checkpoint of --model", checkpoint, FileKind::state},
               {"--report", command.report, FileKind::report},
               {"--walkthrough", command.walkthrough, FileKind::report},
               {"--log", command.log, FileKind::log},
               {"--tensorboard", command.tensorboard, FileKind::folder},
               {"--save-config", command.save_config, FileKind::config}},
              command.overwrite);
  if (command.resume && ::access(checkpoint.c_str(), F_OK) != 0)
    fail<IoError>("{}: is not there, so there is no training to go on with; without --resume a new one begins",
                  checkpoint);
  if (!command.save_config.empty())
    write_file_atomically(command.save_config, std::as_bytes(std::span(command.config_text)));
}

// A training and what it came to.
struct Trained {
  std::unique_ptr<Trainer> trainer;
  Ending ending = Ending::all_epochs;
  Parameters parameters{};
  Samples samples{};  // of mcmc
  std::int64_t rows = 0;
  double noise = 0;
  // That go with them.
  TargetScale scale{};
  std::shared_ptr<const Relations> relations{};

  // Of tables that ranks share out the first alone has room for all, to write the model.
  void take(Trainer& from) {
    parameters = from.parameters(0);
    samples = from.samples();
    scale = from.target_scale();
    rows = from.rows();
    noise = from.noise();
    relations = from.columns().relations;
  }
};

// Trains once: to the best epoch, or until it is interrupted.
Trained train_once(const TrainingSet& set, const TrainingOptions& options, const TrainCommand& command,
                   const std::string& checkpoint, Logs& logs) {
  TrainerOptions where = trainer_options(command.common);
  if (!command.model.empty()) where.scratch = std::filesystem::absolute(command.model).parent_path();
  Trained out{std::make_unique<Trainer>(set.train, set.validation, set.columns, options, where,
                                        start_of(set, options, *set.train))};
  const bool text = !command.common.json;
  if (command.resume) {
    out.trainer->restore(checkpoint);
    if (text)
      say("resumed: {} epochs and {} batches are done\n", out.trainer->epochs_done(), out.trainer->batches_done());
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
  if (Bar::is_seen() && command.common.writes())
    watcher.batch = [&](const EpochProgress& progress) { table.batch(progress); };
  out.ending = out.trainer->run(watcher);
  if (out.ending != Ending::stopped) out.take(*out.trainer);
  return out;
}

// Trains again on all rows, as long as did best. The state that is kept, should it be interrupted, is the one before.
void refit(const TrainingSet& set, TrainingOptions options, const TrainCommand& command, const std::string& checkpoint,
           Trained& trained) {
  options.epochs = std::max<std::int64_t>(trained.trainer->best_epoch(), 1);
  const SharedBlocks rows = all_rows(set);
  Trainer again(rows, nullptr, set.columns, options, trainer_options(command.common), start_of(set, options, *rows));
  trained.ending = again.run({.stop = [] { return interrupted != 0; }}, trained.trainer->best_epoch());
  if (trained.ending == Ending::stopped) {
    if (!checkpoint.empty()) trained.trainer->save(checkpoint);
  } else {
    trained.take(again);
  }
}

int cross_validation(const TrainingSet& set, const TrainingOptions& options, const TrainCommand& command) {
  const bool text = !command.common.json;
  if (text) say("model: {}\n", describe_model(settled(options, summary_of(*set.train).size())));
  double constant = 0;
  std::int64_t number = 0;
  const std::vector<ValidationFold> folds =
      cross_validate(set.train->block(0), set.keys, set.columns, options, command.folds,
                     trainer_options(command.common), [&](const ValidationFold& fold) {
                       constant += fold.constant / static_cast<double>(command.folds);
                       if (!text) return;
                       say("part {}: {} examples, {} epochs: {}\n", ++number, fold.evaluation.examples, fold.epochs,
                           to_string(fold.evaluation));
                       std::fflush(stdout);
                     });
  if (!text) {
    print_json(folds);
    return 0;
  }
  say("mean:");
  for (std::size_t m = 0; m < folds.front().evaluation.metrics.size(); ++m) {
    double sum = 0, squares = 0;
    for (const ValidationFold& fold : folds) sum += fold.evaluation.metrics[m].second;
    const double mean = sum / static_cast<double>(folds.size());
    for (const ValidationFold& fold : folds) squares += std::pow(fold.evaluation.metrics[m].second - mean, 2);
    say("  {} {} +- {}", folds.front().evaluation.metrics[m].first, shown_metric(mean),
        shown_metric(std::sqrt(squares / static_cast<double>(folds.size() - 1))));
  }
  say("\nconstant: {} {}\n", main_metric(*options.task), shown_metric(constant));
  return 0;
}

void weigh_penalty(const TrainingSet& set, TrainingOptions& options, const TrainCommand& command) {
  const std::vector<Candidate> tried = weigh_factors(set.train, set.validation, set.columns, options,
                                                     trainer_options(command.common), [](const Candidate&) {
                                                       if (interrupted != 0)
                                                         fail<Error>("interrupted before training; nothing is kept");
                                                     });
  if (command.common.json) return;
  std::string text;
  for (const Candidate& each : tried)
    text += fmt::format("{}{:.3g} {}", text.empty() ? "" : ", ", each.l2, shown_metric(each.validation));
  say("l2-v and its validation {}: {}; {:.3g} is taken\n", stopping_metric(options), text, *options.l2_v);
}

// The settings of the best candidate of which there was no smaller, or no greater, among those tried.
std::string edges_of(const std::vector<Candidate>& all) {
  std::string text;
  const auto look = [&](const char* name, auto member) {
    const auto [least, most] = std::minmax_element(
        all.begin(), all.end(), [&](const Candidate& a, const Candidate& b) { return a.*member < b.*member; });
    const auto best = all.front().*member;
    if (best == (*least).*member || best == (*most).*member)
      text += fmt::format("{}--{} {:.4g}", text.empty() ? "" : ", ", name, static_cast<double>(best));
  };
  look("rate", &Candidate::rate);
  look("factors", &Candidate::factors);
  look("l2-v", &Candidate::l2);
  return text;
}

constexpr const char* what_helps =
    "--normalize brings large columns into reach, --rate takes smaller steps, --ignore COLUMN leaves one out";

std::vector<Candidate> search_settings(const TrainingSet& set, TrainingOptions& options, const TrainCommand& command) {
  const bool text = !command.common.json;
  const std::string metric = stopping_metric(options);
  if (text) say("{:>6}  {:>10}  {:>8}  {:>10}  {:>14}\n", "epochs", "rate", "factors", "l2-v", "valid " + metric);
  std::vector<Candidate> all =
      search(set.train, set.validation, set.columns, options, trainer_options(command.common), [&](const Candidate& c) {
        if (interrupted != 0) fail<Error>("interrupted while searching; nothing is kept");
        if (!text) return;
        say("{:>6}  {:>10.4g}  {:>8}  {:>10.4g}  {:>14}\n", c.epochs, c.rate, c.factors, c.l2,
            std::isfinite(c.validation) ? shown_metric(c.validation) : "diverged");
        std::fflush(stdout);
      });
  const double constant = loss_of_constant(*options.task, summary_of(*set.train), summary_of(*set.validation));
  const bool by_loss = metric == main_metric(*options.task);
  if (by_loss && all.front().validation > constant)
    fail<Error>("{}: the best of the search has a validation {} of {}, worse than the constant's, {}; {}",
                set.about.name, metric, shown_metric(all.front().validation), shown_metric(constant), what_helps);
  if (text) {
    say("best: --rate {:.4g} --factors {} --l2-v {:.4g} --l2-w {:.4g}: validation {} {}{}\n", options.rate,
        options.factors, *options.l2_v, *options.l2_w, metric, shown_metric(all.front().validation),
        by_loss ? fmt::format(" (constant: {})", shown_metric(constant)) : "");
    if (const std::string edges = edges_of(all); !edges.empty())
      say("  on the edge of what was tried: {}; a second search around it may do better\n", edges);
  }
  return all;
}

// Says how good the best epoch is, beside the best that can be told without looking at a row, and keeps both with the
// model. Throws Error where the model is worse, and not by the chance of few rows.
void compare_with_constant(const TrainingSet& set, const TrainingOptions& options, const Trained& trained, bool text,
                           TrainedModel& model) {
  Trainer& trainer = *trained.trainer;
  const bool validated = set.validation != nullptr;
  const std::string rows = validated ? "validation" : "training";
  const Evaluation found = trainer.evaluation();
  const double constant = trainer.constant_loss();
  const auto& [metric, loss] = found.metrics.front();
  for (const auto& [name, value] : found.metrics) model.metrics[fmt::format("{} {}", rows, name)] = value;
  model.metrics["constant " + metric] = constant;
  if (text) {
    const std::int64_t best = trainer.best_epoch();
    const std::string ended = trained.ending == Ending::no_improvement ? "; stopped early"
                              : !validated || *options.epochs == 1     ? ""
                              : best == *options.epochs ? "; it is the last, so more --epochs may do better"
                                                        : "";
    if (const std::int64_t samples = trained.samples.count(); samples > 0)
      say("predictions: the mean of {} sample{} of epochs {} to {}\n", samples, plural(samples),
          unsettled_epochs(best) + 1, best);
    else
      say("{} epoch: {}{}\n", validated ? "best" : "last", best, ended);
    say("{}: {}\nconstant: {} {}\n", rows, to_string(found), metric, shown_metric(constant));
  }
  const double chance = 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(found.examples, 1)));
  if (loss > constant * (1 + chance))
    fail<Error>("{}: the model is worse than a constant ({} {} on {} rows; the constant has {}), so it is not kept; {}",
                set.about.name, metric, shown_metric(loss), rows, shown_metric(constant), what_helps);
  if (text && loss >= constant) say("  no better than the constant; on {} rows that may be chance\n", found.examples);
}

// Whether nobody has chosen how to learn, and mcmc could, in a time that nobody minds.
bool is_for_mcmc(const TrainingSet& set, const TrainingOptions& given, const TrainingOptions& options) {
  constexpr std::int64_t most_non_zeros = 10'000'000;
  return given.optimizer == TrainingOptions().optimizer && !visits_parameters(options) &&
         (options.kind == ModelKind::fm || options.kind == ModelKind::linear) &&
         (options.task == Task::regression || options.task == Task::binary) && set.about.streamed_mib == 0 &&
         summary_of(*set.train).non_zeros < most_non_zeros;
}

}  // namespace

int train(const TrainCommand& command) {
  // What would fail in the end is said at the beginning.
  trainer_options(command.common);
  check_files_of(command);
  const bool text = !command.common.json;
  TrainingOptions options = command.options;
  if (command.resume && !options.pieces) options.pieces = options_of_state(checkpoint_of(command)).pieces;
  if (command.common.ranks && !options.pieces && !visits_parameters(options)) options.pieces = SessionOptions().pieces;
  DataFile data = data_file(command.data);
  data.read.threads = command.common.threads;
  for (std::size_t i = 0; i < command.join.size(); ++i) data.joined.push_back({command.join[i], command.on[i]});
  DataFile validation;
  validation.path = command.validation;
  validation.read = like(data);
  validation.weights = command.validation_weights;
  TrainingOptions loading = options;
  if (command.folds > 0) loading.valid_fraction = 0;
  const std::optional<TrainedModel> from =
      command.from.empty() ? std::nullopt : std::optional(load_model(command.from));
  const TrainingSet set = load_training_set(data, validation, loading, command.items, from ? &*from : nullptr);
  const double valid_fraction = options.valid_fraction;
  options = loading;
  options.valid_fraction = valid_fraction;
  TrainingOptions given = options;
  given.l2_v = command.options.l2_v;
  if (!command.walkthrough.empty() && options.task == Task::ranking)
    fail<ValueError>("--walkthrough shows no training for ranking; --task names another");
  if (command.folds > 0) refuse_streamed(set.about, "--cv");
  if (text) print_data(set, command);
  if (command.folds > 0) return cross_validation(set, given, command);

  const Interruptions caught;
  std::vector<Candidate> candidates;
  if (command.search)
    candidates = search_settings(set, options, command);
  else if (!from && set.validation && set.about.streamed_mib == 0 && weighs_factors(given, set.train->size()))
    weigh_penalty(set, options, command);
  if (text) say("model: {}\n", describe_model(options));
  const std::string checkpoint = checkpoint_of(command);
  Logs logs(command, set, options);
  Trained trained = train_once(set, options, command, checkpoint, logs);
  const bool validated = set.validation_size() > 0;
  Trainer& trainer = *trained.trainer;
  const std::int64_t best = trainer.best_epoch();
  if (trained.ending == Ending::stopped) return interrupted_at(trainer, command, checkpoint);
  TrainedModel model = untrained_model(set, options);
  model.metrics["epochs"] = static_cast<double>(best);
  compare_with_constant(set, options, trained, text, model);
  const Ending ending = trained.ending;
  TrainedModel fitted = model;
  fitted.scale = {};  // the rows that it is shown are scaled already
  fitted.target_scale = trained.scale;
  fitted.columns.relations = trained.relations;
  if (!command.report.empty()) {
    fitted.parameters = trained.parameters;
    fitted.samples = trained.samples;
  }
  if (*options.refit && validated) {
    refit(set, options, command, checkpoint, trained);
    if (trained.ending == Ending::stopped) return interrupted_at(trainer, command, checkpoint);
    if (text) say("refitted: {} epochs on all {} examples\n", best, set.train->size() + set.validation_size());
  }
  // A rank that has not all of the model has nothing to say of it.
  if (!command.common.writes() && trained.parameters.size() < trainer.model().parameters.size()) return 0;
  model.parameters = std::move(trained.parameters);
  model.samples = std::move(trained.samples);
  model.target_scale = trained.scale;
  model.rows = trained.rows;
  model.noise = trained.noise;
  model.columns.relations = trained.relations;

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
      say("test: {}: {} examples: {}\n", test->name, test->evaluation.examples, to_string(test->evaluation));
      print_counts(test->unseen, test->missing, model.columns.table.get());
    }
  }
  logs.end(ending_name(ending), best, model);
  if (!command.report.empty()) {
    write_page(command, set, model, fitted, trainer.history(), best);
    if (text) say("report: {}\n", command.report);
  }
  if (!command.model.empty() && command.common.writes()) {
    save_model(command.model, model);
    remove_training_state(checkpoint);  // it has done its work; if there is none, all the better
    if (text) say("model: {}\n", command.model);
  } else if (text) {
    say("The model is not kept: --model FILE keeps it.\n");
  }
  if (!command.walkthrough.empty()) write_walkthrough(command.walkthrough, set, options, text);
  if (text && is_for_mcmc(set, command.options, options))
    say("--learner mcmc may do better on data of this size: Gibbs sampling, with nothing to tune\n");
  if (command.common.json)
    print_json({&set, &model, &trainer.history(), best, ending_name(ending), &candidates, test ? &*test : nullptr,
                command.model});
  return 0;
}

}  // namespace fm
