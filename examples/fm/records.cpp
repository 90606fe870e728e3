#include "records.h"

#include "output.h"

#include <gradus/models/training/inspection.h>
#include <gradus/models/training/training_settings.h>
#include <gradus/models/training/training_step.h>
#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <variant>

namespace fm {

using namespace gradus;

namespace {

// The options that the training has a use for, as it goes by them.
Facts facts_of(const TrainingOptions& options) {
  TrainingOptions copy = options;
  if (copy.rate == 0) copy.rate = usual_rate(copy);
  Facts facts;
  for (const Setting& setting : settings(copy)) {
    if (!is_used(setting, copy)) continue;
    if (setting.name == "stop-by") {
      facts.emplace_back(setting.name, stopping_metric(copy));
      continue;
    }
    std::visit(
        [&](const auto* value) {
          using T = std::remove_cvref_t<decltype(*value)>;
          if constexpr (!is_choice<T>) {
            if constexpr (std::is_constructible_v<Fact, std::string_view, T>)
              return void(facts.emplace_back(setting.name, *value));
            else if constexpr (requires { value->has_value(); })
              if (*value) return void(facts.emplace_back(setting.name, **value));
          }
          facts.emplace_back(setting.name, shown(setting));
        },
        setting.value);
  }
  return facts;
}

// What the model is worth on the rows that are told, in words, beside what always telling the same is.
std::string headline_of(const TrainedModel& model, const std::string& rows) {
  const auto metric = [&](const std::string& name) {
    const auto found = model.metrics.find(name);
    return found == model.metrics.end() ? std::nan("") : found->second;
  };
  const std::string main = main_metric(*model.options.task);
  const double loss = metric(rows + " " + main), constant = metric("constant " + main);
  switch (*model.options.task) {
    case Task::regression:
      return fmt::format(
          "On {} rows predictions are off by {} in the root mean square; always telling the mean is off "
          "by {}.",
          rows, shown_metric(std::sqrt(loss)), shown_metric(std::sqrt(constant)));
    case Task::ranking:
      return fmt::format("On {} rows {:.1f} % of the pairs are ranked rightly; chance ranks 50 %.", rows,
                         100 * metric(rows + " auc"));
    case Task::binary:
    case Task::multiclass: break;
  }
  return fmt::format(
      "On {} rows the log loss is {}, and {:.1f} % are told rightly; always telling how often each class "
      "occurs has a log loss of {}.",
      rows, shown_metric(loss), 100 * metric(rows + " accuracy"), shown_metric(constant));
}

// The columns of a table with what they are, and how many features they have.
Facts columns_of(const TrainingSet& set) {
  Facts facts;
  if (!set.columns.table) return facts;
  constexpr std::size_t most = 40;
  const FeatureTable& table = *set.columns.table;
  for (std::size_t i = 0; i < std::min(table.columns().size(), most); ++i) {
    const TableColumn& column = table.columns()[i];
    std::string what(to_string(column.kind));
    if (column.kind == ColumnKind::categorical && table.hash_bits() == 0)
      what += fmt::format(", {} feature{}", column.categories.size(), column.categories.size() == 1 ? "" : "s");
    if (column.kind == ColumnKind::numeric) what += ", 1 feature";
    facts.emplace_back(column.name, what);
  }
  if (table.columns().size() > most) facts.emplace_back("others", table.columns().size() - most);
  if (set.columns.relations)
    for (const RelationBlock& block : set.columns.relations->blocks)
      facts.emplace_back(block.is_implicit() ? fmt::format("{}:{}", block.key, block.of) : block.source,
                         describe(block));
  return facts;
}

std::string underlined(std::string text) {
  for (char& c : text)
    if (c == ' ') c = '_';
  return text;
}

}  // namespace

Logs::Logs(const TrainCommand& command, const TrainingSet& set, const TrainingOptions& options)
    : metric_(stopping_metric(options)), examples_(static_cast<double>(set.train->size())) {
  if (!command.log.empty()) {
    lines_.emplace(command.log, command.resume ? AppendFile::Open::lines : AppendFile::Open::anew);
    lines_->write("start",
                  {{"data", set.about.name},
                   {"train_examples", set.train->size()},
                   {"validation_examples", set.validation_size()},
                   {"features", set.columns.count}},
                  facts_of(options));
  }
  if (!command.tensorboard.empty()) curves_.emplace(command.tensorboard);
}

void Logs::epoch(const EpochRecord& record) {
  const bool validated = !std::isnan(record.validation);
  if (lines_) {
    Facts facts{{"epoch", record.epoch}, {"loss", record.loss}};
    if (validated) facts.emplace_back("valid_" + underlined(metric_), record.validation);
    facts.emplace_back("seconds", record.seconds);
    facts.emplace_back("examples_per_second", examples_ / record.seconds);
    lines_->write("epoch", facts);
  }
  if (curves_) {
    std::vector<Scalar> scalars{{"loss/train", record.loss}};
    if (validated) scalars.push_back({underlined(metric_) + "/valid", record.validation});
    curves_->write(record.epoch, scalars);
  }
}

void Logs::end(const std::string& ending, std::int64_t best_epoch, const TrainedModel& model) {
  if (!lines_) return;
  Facts facts{{"ended", ending}, {"best_epoch", best_epoch}};
  for (const auto& [name, value] : model.metrics) facts.emplace_back(underlined(name), value);
  lines_->write("end", facts);
}

void write_page(const TrainCommand& command, const TrainingSet& set, const TrainedModel& model,
                const TrainedModel& fitted, const std::vector<EpochRecord>& history, std::int64_t best_epoch) {
  const TrainingOptions& options = model.options;
  Predictor predict(fitted, command.report, trainer_options(command.common));
  Report report;
  const bool validated = set.validation_size() > 0;
  report.title = set.about.name;
  report.headline = headline_of(model, validated ? "validation" : "training");
  if (*options.refit && validated)
    report.remark = fmt::format(
        "After that the model was learnt again from all {} rows, for the {} epochs that did best. What this page shows "
        "of "
        "its worth is the model before, which had not seen the validation rows; the strongest features are of the "
        "last.",
        set.train->size() + set.validation_size(), best_epoch);
  else if (validated)
    report.remark = "The model was not learnt again from the validation rows.";
  report.columns = columns_of(set);
  report.subtitle = fmt::format("{}, {} factors", to_string(options.kind), options.factors);
  for (const auto& [name, value] : model.metrics) report.results.emplace_back(name, value);
  report.data = {{"format", format_name(model.format)},
                 {"train examples", set.train->size()},
                 {"validation examples", set.validation_size()},
                 {"features", model.columns.count},
                 {"non-zeros", summary_of(*set.train).non_zeros}};
  if (!model.target.empty()) report.data.emplace_back("target", model.target);
  std::int64_t parameters = 0;
  for (const auto& [name, value] : model.parameters) parameters += value.size();
  report.model = {{"kind", to_string(options.kind)}, {"task", to_string(*options.task)}, {"parameters", parameters}};
  report.options = facts_of(options);
  report.command = command.command_line;
  for (const EpochRecord& record : history) report.epochs.push_back({record.epoch, record.loss, record.validation});
  report.loss_name = "training " + main_metric(*options.task);
  report.metric_name = "validation " + stopping_metric(options);
  report.best_epoch = best_epoch;
  report.task = *options.task;
  const RowBlocks& predicted = validated ? *set.validation : *set.train;
  report.predicted_rows = validated ? "validation rows" : "training rows";
  if (options.task == Task::regression || options.task == Task::binary) {
    // Of data in blocks as many as a page can show.
    constexpr std::size_t enough = 100'000;
    std::int64_t block = 0;
    for (; block < predicted.blocks() && report.targets.size() < enough; ++block) {
      const Rows rows = predicted.block(block);
      const Tensor predictions = predict.all(rows.x);  // [n, 1]
      report.targets.insert(report.targets.end(), rows.y.begin(), rows.y.end());
      report.predictions.insert(report.predictions.end(), predictions.begin(), predictions.end());
    }
    if (block < predicted.blocks())
      report.predicted_rows = fmt::format("the first {} {}", report.targets.size(), report.predicted_rows);
  }
  report.feature_note = "weight of the feature";
  for (NamedWeight& each : strongest_features(model, 20))
    report.features.push_back({std::move(each.name), each.weight});
  report.prediction = predict.output();
  write_report(command.report, report);
}

}  // namespace fm
