// What the commands print alike: text for people, JSON for programs.
#pragma once

#include "commands.h"
#include "say.h"

#include <gradus/models/data/data_cache.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/model_growth.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/top_evaluation.h>
#include <gradus/models/training/training_set.h>
#include "search.h"

#include <cstdio>
#include <vector>

namespace fm {

/// Where the arguments say to compute. Throws DeviceError where there is no such device, ValueError for another name.
gradus::TrainerOptions trainer_options(const Common& common);

/// "libsvm"; "cache", which does not say what it was made of.
std::string_view format_name(gradus::Format format);

/// The model and its learner in a line, of options that leave nothing open.
std::string describe_model(const gradus::TrainingOptions& options);

/// A line for each column of which something was found out: what it is and why.
void print_findings(const std::vector<gradus::ColumnFinding>& findings);

/// "never seen in training, and left out: 2 item", where there was something.
void print_counts(const std::vector<std::int64_t>& unseen, const std::vector<std::int64_t>& missing,
                  const gradus::FeatureTable* table, std::FILE* to = stdout);

/// The mean over the values of a column, and those with the most examples.
void print_groups(const std::string& by, const std::vector<gradus::GroupEvaluation>& groups);

/// With `by`, the values of that column too.
void print_json(const gradus::FileEvaluation& found, const std::string& by, const gradus::FeatureTable* table);
void print_json(std::FILE* to, std::int64_t predictions, const std::vector<std::int64_t>& unseen,
                const std::vector<std::int64_t>& missing, const gradus::FeatureTable* table);

/// What a training came to, for print_json.
struct TrainingReport {
  const gradus::TrainingSet* set;
  const gradus::TrainedModel* model;
  const std::vector<gradus::EpochRecord>* history;
  std::int64_t best_epoch;
  std::string ending;
  const std::vector<Candidate>* candidates;  // of a search; empty: there was none
  const gradus::FileEvaluation* test;        // null: none
  std::string file;                          // of the model; "": none
};
void print_json(const TrainingReport& report);

struct Inspection {
  const gradus::TrainedModel* model;
  std::vector<gradus::NamedWeight> features;
  std::vector<gradus::NamedPair> pairs;
  std::string feature;  // "": none was asked for
  std::vector<gradus::NamedWeight> nearest;
};
void print_json(const Inspection& found);

void print_json(std::FILE* to, const gradus::Contexts& contexts, const gradus::Candidates& candidates,
                std::int64_t recommendations, double seconds, const gradus::FeatureTable* table);
void print_json(const gradus::TopEvaluation& found, const gradus::Candidates& candidates);
void print_json(const std::vector<ValidationFold>& folds);
void print_update_json(const gradus::FoldedIn& found, const std::vector<std::int64_t>& counts,
                       const gradus::FeatureTable* table, gradus::Task task, const std::string& file);
void print_convert_json(const std::string& file, const gradus::DataCacheSummary& done);
void print_export_json(const ExportCommand& command, const gradus::TrainedModel& model);

}  // namespace fm
