#include "output.h"

#include "options.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/models/training/training_step.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

using Json = nlohmann::ordered_json;

void print(std::FILE* to, const Json& json) {
  put(to, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json metrics_of(const Evaluation& evaluation) {
  Json json{{"examples", evaluation.examples}};
  for (const auto& [name, value] : evaluation.metrics) json[name] = number(value);
  return json;
}

// {"item": 2}; a number alone where columns have no names.
Json counts_of(const std::vector<std::int64_t>& counts, const FeatureTable* table) {
  if (table == nullptr) return counts.empty() ? 0 : counts.front();
  Json json = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0) json[table->columns()[i].name] = counts[i];
  return json;
}

Json evaluation_of(const FileEvaluation& found, const FeatureTable* table) {
  Json json{{"data", found.name}};
  json.update(metrics_of(found.evaluation));
  json["unseen"] = counts_of(found.unseen, table);
  json["missing"] = counts_of(found.missing, table);
  return json;
}

Json relations_of(const Columns& columns) {
  Json json = Json::array();
  if (!columns.relations) return json;
  for (const RelationBlock& block : columns.relations->blocks)
    json.push_back({{"key", block.key},
                    {block.is_implicit() ? "implicit" : "table", block.is_implicit() ? block.of : block.source},
                    {"lines", block.lines.dim(0)},
                    {"features", block.lines.dim(1)},
                    {"entries", block.lines.stored()}});
  return json;
}

// 1 of "cuda:1", 0 of "cuda"; -1 of other names.
int cuda_index(std::string_view name) {
  if (name == "cuda") return 0;
  if (!name.starts_with("cuda:")) return -1;
  name.remove_prefix(5);
  int index = -1;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc() && rest == name.data() + name.size() ? index : -1;
}

}  // namespace

void check_device(const std::string& device) {
  if (device != "cpu" && cuda_index(device) < 0) fail<ValueError>("--device is {}; cpu or cuda:0 is expected", device);
}

TrainerOptions trainer_options(const Common& common) {
  check_device(common.device);
  // Each rank takes a card of its own, unless one is named.
  const int card = common.ranks && common.device == "cuda" ? Communicator::local_rank() : cuda_index(common.device);
  const Device device = common.device == "cpu" ? Device::cpu() : Device::cuda(card);
  return {common.threads, device, common.ranks, static_cast<std::int64_t>(common.shard_above * 0x1p20)};
}

DataFile data_file(const DataArguments& data) {
  DataFile file = data.file;
  file.read.format = format_named(data.format);
  if (data.sum_duplicates) file.read.duplicates = Duplicates::sum;
  if (data.keep_first_field) file.read.other_field = OtherField::keep_first;
  if (data.delimiter == "\\t" || data.delimiter == "tab")
    file.read.delimiter = '\t';
  else if (data.delimiter.size() > 1)
    fail<ValueError>("--delimiter is {}; one character is expected", data.delimiter);
  else if (!data.delimiter.empty())
    file.read.delimiter = data.delimiter.front();
  if (!data.decimal.empty() && data.decimal != "." && data.decimal != ",")
    fail<ValueError>("--decimal is {}; . or , is expected", data.decimal);
  if (!data.decimal.empty()) file.read.form.decimal = data.decimal.front();
  if (file.read.separator.size() > 1)
    fail<ValueError>("--multi-separator is {}; one character is expected", file.read.separator);
  return file;
}

std::string describe_model(const TrainingOptions& o) {
  std::string text(to_string(o.kind));
  if (o.kind == ModelKind::higher_order) text += fmt::format(" of order {}", o.order);
  if (o.kind != ModelKind::linear) text += fmt::format(", {} factors", o.factors);
  text += fmt::format("; {}, {}", to_string(*o.task), to_string(o.optimizer));
  if (o.optimizer == Learner::mcmc)
    return text + fmt::format("; {} epochs, {} samples; seed {}", *o.epochs,
                              std::min(o.samples, *o.epochs - unsettled_epochs(*o.epochs)), o.seed);
  if (!visits_parameters(o)) text += fmt::format(", rate {:g}", o.rate == 0 ? usual_rate(o) : o.rate);
  if (o.schedule != RateSchedule::constant) text += fmt::format(" ({})", to_string(o.schedule));
  if (o.l2_w0 != 0) text += fmt::format(", l2-w0 {:g}", o.l2_w0);
  if (*o.l2_w != 0) text += fmt::format(", l2-w {:.3g}", *o.l2_w);
  if (*o.l2_v != 0 && o.kind != ModelKind::linear) text += fmt::format(", l2-v {:.3g}", *o.l2_v);
  if (o.l2_over == L2Over::all) text += " over all";
  if (o.l2_rows.value_or(0) != 0) text += fmt::format(", l2-rows {:g}", *o.l2_rows);
  if (o.batch) text += *o.batch == 0 ? "; all rows a step" : fmt::format("; {} rows a step", *o.batch);
  return text + fmt::format("; {} epochs at most, patience {}; seed {}", *o.epochs, *o.patience, o.seed);
}

void print_findings(const std::vector<ColumnFinding>& findings) {
  constexpr std::size_t most = 40;
  for (std::size_t i = 0; i < std::min(findings.size(), most); ++i)
    say("  {}\n", in_option_words(to_string(findings[i])));
  if (findings.size() > most) say("  and {} columns more\n", findings.size() - most);
}

std::string_view format_name(Format format) { return format == Format::guess ? "cache" : to_string(format); }

void print_counts(const std::vector<std::int64_t>& unseen, const std::vector<std::int64_t>& missing,
                  const FeatureTable* table, std::FILE* to) {
  if (const std::string text = describe_counts(unseen, table); !text.empty())
    say(to, "  never seen in training, so left out: {}\n", text);
  if (const std::string text = describe_counts(missing, table); !text.empty())
    say(to, "  empty, so read as 0: {}\n", text);
}

void print_groups(const std::string& by, const std::vector<GroupEvaluation>& groups) {
  constexpr std::size_t most = 10;
  std::vector<const GroupEvaluation*> order;
  for (const GroupEvaluation& each : groups) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(), [](const GroupEvaluation* a, const GroupEvaluation* b) {
    return a->evaluation.examples > b->evaluation.examples;
  });
  say("by {}, the mean of {} values: {}\n", by, groups.size(), to_string(mean_of(groups)));
  for (std::size_t i = 0; i < std::min(order.size(), most); ++i)
    say("  {}, {} examples: {}\n", order[i]->value, order[i]->evaluation.examples, to_string(order[i]->evaluation));
  if (order.size() > most) say("  and {} values more, which have fewer (--json tells all)\n", order.size() - most);
}

void print_json(const FileEvaluation& found, const std::string& by, const FeatureTable* table) {
  Json json = evaluation_of(found, table);
  if (!by.empty()) {
    Json values = Json::array();
    for (const GroupEvaluation& each : found.groups) {
      Json one{{"value", each.value}};
      one.update(metrics_of(each.evaluation));
      values.push_back(std::move(one));
    }
    json["by"] = {{"column", by}, {"mean", metrics_of(mean_of(found.groups))}, {"values", std::move(values)}};
  }
  print(stdout, json);
}

void print_json(const std::vector<ValidationFold>& folds) {
  Json json = Json::array();
  for (const ValidationFold& fold : folds) {
    Json one = metrics_of(fold.evaluation);
    one["epochs"] = fold.epochs;
    one["constant"] = number(fold.constant);
    json.push_back(std::move(one));
  }
  print(stdout, {{"folds", std::move(json)}});
}

void print_convert_json(const std::string& file, const DataCacheSummary& done) {
  print(stdout, {{"cache", file},
                 {"examples", done.rows},
                 {"features", done.columns},
                 {"unseen", done.unseen},
                 {"missing", done.missing}});
}

void print_update_json(const FoldedIn& found, const std::vector<std::int64_t>& counts, const FeatureTable* table,
                       Task task, const std::string& file) {
  print(stdout, {{"new", counts_of(counts, table)},
                 {"examples", found.rows},
                 {"metric", main_metric(task)},
                 {"before", number(found.before)},
                 {"after", number(found.after)},
                 {"model", file}});
}

void print_export_json(const ExportCommand& command, const TrainedModel& model) {
  Json json = Json::object();
  if (!command.onnx.empty()) json.update({{"onnx", command.onnx}, {"input", "X"}, {"output", "prediction"}});
  if (!command.c_header.empty()) json["c_header"] = command.c_header;
  json["features"] = model.columns.count;
  print(stdout, json);
}

void print_json(const Inspection& found) {
  const TrainedModel& model = *found.model;
  const auto list = [](const std::vector<NamedWeight>& weights) {
    Json json = Json::array();
    for (const NamedWeight& each : weights) json.push_back({{"feature", each.name}, {"weight", number(each.weight)}});
    return json;
  };
  Json pairs = Json::array();
  for (const NamedPair& pair : found.pairs)
    pairs.push_back({{"features", {pair.first, pair.second}}, {"weight", number(pair.weight)}});
  Json json{{"task", to_string(*model.options.task)},
            {"format", format_name(model.format)},
            {"features", model.columns.count},
            {"relations", relations_of(model.columns)},
            {"options", Json::parse(to_json(model.options))},
            {"metrics", Json::object()},
            {"strongest_features", list(found.features)},
            {"strongest_pairs", std::move(pairs)}};
  for (const auto& [name, value] : model.metrics) json["metrics"][name] = number(value);
  if (!found.feature.empty()) json["nearest"] = {{"feature", found.feature}, {"features", list(found.nearest)}};
  print(stdout, json);
}

void print_json(std::FILE* to, std::int64_t predictions, const std::vector<std::int64_t>& unseen,
                const std::vector<std::int64_t>& missing, const FeatureTable* table) {
  print(to,
        {{"predictions", predictions}, {"unseen", counts_of(unseen, table)}, {"missing", counts_of(missing, table)}});
}

void print_json(std::FILE* to, const Contexts& contexts, const Candidates& candidates, std::int64_t recommendations,
                double seconds, const FeatureTable* table) {
  print(to, {{"recommendations", recommendations},
             {"contexts", contexts.size()},
             {"candidates", candidates.names.size()},
             {"seconds", seconds},
             {"unseen", counts_of(contexts.unseen, table)},
             {"unknown_candidates", candidates.unknown},
             {"not_given", contexts.lacking}});
}

void print_json(const TopEvaluation& found, const Candidates& candidates) {
  const auto metrics = [](const Evaluation& evaluation) {
    Json json = Json::object();
    for (const auto& [name, value] : evaluation.metrics) json[name] = number(value);
    return json;
  };
  print(stdout, {{"data", found.name},
                 {"users", found.users},
                 {"taken", found.taken},
                 {"candidates", candidates.names.size()},
                 {"model", metrics(found.model)},
                 {"popularity", found.popularity ? metrics(*found.popularity) : Json(nullptr)}});
}

void print_json(const TrainingReport& report) {
  const TrainedModel& model = *report.model;
  Json history = Json::array();
  for (const EpochRecord& record : *report.history)
    history.push_back({{"epoch", record.epoch},
                       {"loss", number(record.loss)},
                       {"validation", number(record.validation)},
                       {"seconds", record.seconds}});
  Json json{{"data", report.set->about.name},
            {"format", format_name(model.format)},
            {"task", to_string(*model.options.task)},
            {"target", model.target},
            {"train_examples", report.set->train->size()},
            {"validation_examples", report.set->validation_size()},
            {"streamed", report.set->about.streamed_mib > 0},
            {"features", model.columns.count},
            {"relations", relations_of(model.columns)},
            {"options", Json::parse(to_json(model.options))},
            {"history", std::move(history)},
            {"best_epoch", report.best_epoch},
            {"ended", report.ending},
            {"metrics", Json::object()}};
  for (const auto& [name, value] : model.metrics) json["metrics"][name] = number(value);
  if (report.set->about.findings) {
    json["columns"] = Json::array();
    for (const ColumnFinding& each : *report.set->about.findings)
      json["columns"].push_back(
          {{"name", each.name}, {"kind", to_string(each.kind)}, {"why", in_option_words(each.why)}});
  }
  if (report.test != nullptr) json["test"] = evaluation_of(*report.test, model.columns.table.get());
  if (!report.candidates->empty()) {
    json["search"] = Json::array();
    for (const Candidate& each : *report.candidates)
      json["search"].push_back({{"rate", each.rate},
                                {"factors", each.factors},
                                {"l2", each.l2},
                                {"epochs", each.epochs},
                                {"validation", number(each.validation)}});
  }
  json["model"] = report.file.empty() ? Json(nullptr) : Json(report.file);
  print(stdout, json);
}

}  // namespace fm
