// A run on one page: write_report makes an HTML file that needs nothing else, no network and no script. It begins with
// what the model is worth, in words and beside a constant; then come the learning curves, what the predictions are
// worth, the columns and the strongest features, the model's graph and the options. Pictures are SVG with a title and a
// description for those who cannot see them; colours follow the reader's light or dark.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/models/task.h>
#include "fact.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace fm {

/// One epoch's numbers; what there is none of is NaN.
struct ReportEpoch {
  std::int64_t epoch = 0;
  double train_loss = std::numeric_limits<double>::quiet_NaN();
  double valid_metric = std::numeric_limits<double>::quiet_NaN();
};

/// A feature by name and its weight, positive or negative.
struct ReportFeature {
  std::string name;
  double weight = 0;
};

/// What the page shows; sections for which there is nothing are left out or say so.
struct Report {
  std::string title;     // "ratings.csv"
  std::string subtitle;  // "factorization machine, 20 factors"
  std::string headline;  // what the model is worth, in a sentence, beside a constant
  std::string remark;    // what is to be known of it: whether the model was learnt again from all rows
  Facts results;         // the few numbers that matter, in large: {"test RMSE", 0.93}
  Facts data;            // examples, features, non-zeros ...
  Facts model;           // kind, factors, parameters ...
  Facts columns;         // by name: what they are, how many features they have
  Facts options;         // those that the training had a use for, as it went by them
  std::string command;   // what was typed

  std::vector<ReportEpoch> epochs;
  std::string loss_name = "training loss";
  std::string metric_name;                 // "validation RMSE"
  std::optional<std::int64_t> best_epoch;  // whose parameters were kept

  /// Rows that the model was not fitted to. Targets of binary tasks are -1 or 0 and 1, predictions the probability
  /// of 1.
  gradus::Task task = gradus::Task::regression;
  std::string predicted_rows;  // "validation rows"
  std::vector<double> targets;
  std::vector<double> predictions;

  std::string feature_note;             // what the bars are: "weight w_j"
  std::vector<ReportFeature> features;  // any number, in any order: the strongest are drawn

  gradus::Expr prediction;  // whose graph is drawn; none is drawn without it
};

/// The page. Throws ValueError unless there are as many targets as predictions.
std::string to_html(const Report& report);
/// Writes to_html to a file, whole or not at all. Throws as it does, and IoError.
void write_report(const std::string& path, const Report& report);

}  // namespace fm
