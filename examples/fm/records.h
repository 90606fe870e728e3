// What a training leaves beside its model: a log that grows with it, curves for TensorBoard, a page to look at.
#pragma once

#include "commands.h"

#include <gradus/models/formats/tensorboard.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>
#include "run_log.h"

#include <optional>
#include <string>
#include <vector>

namespace fm {

/// The logs that the command asks for, if any.
class Logs {
 public:
  Logs(const TrainCommand& command, const gradus::TrainingSet& set, const gradus::TrainingOptions& options);

  void epoch(const gradus::EpochRecord& record);
  void end(const std::string& ending, std::int64_t best_epoch, const gradus::TrainedModel& model);

 private:
  std::string metric_;
  double examples_;
  std::optional<RunLog> lines_;
  std::optional<gradus::TensorBoardLog> curves_;
};

/// Writes the page of a training. `fitted` has not seen the validation rows.
void write_page(const TrainCommand& command, const gradus::TrainingSet& set, const gradus::TrainedModel& model,
                const gradus::TrainedModel& fitted, const std::vector<gradus::EpochRecord>& history,
                std::int64_t best_epoch);

/// Trains a model as the options say on the first rows and the features that these hold alone, and writes the page of
/// it (--walkthrough). Says what is shown where `text`. Throws ValueError where that is too large for a page.
void write_walkthrough(const std::string& path, const gradus::TrainingSet& set, gradus::TrainingOptions options,
                       bool text);

}  // namespace fm
