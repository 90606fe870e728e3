// What a training leaves beside its model: a log that grows with it, curves for TensorBoard, a page to look at.
#pragma once

#include "commands.h"

#include <gradus/models/formats/run_log.h>
#include <gradus/models/formats/tensorboard.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>

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
  std::optional<gradus::RunLog> lines_;
  std::optional<gradus::TensorBoardLog> curves_;
};

/// Writes the page of a training. `fitted` has not seen the validation rows.
void write_page(const TrainCommand& command, const gradus::TrainingSet& set, const gradus::TrainedModel& model,
                const gradus::TrainedModel& fitted, const std::vector<gradus::EpochRecord>& history,
                std::int64_t best_epoch);

}  // namespace fm
