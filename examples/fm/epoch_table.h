// What a training shows while it goes on: a bar within an epoch, where there is a terminal, and a line for each.
#pragma once

#include <gradus/models/training/training_set.h>
#include "../progress.h"

#include <optional>
#include <string>

namespace fm {

class EpochTable {
 public:
  /// Prints the heading, if lines are to be printed.
  EpochTable(const gradus::TrainingSet& set, const gradus::TrainingOptions& options, bool shown);

  void batch(const gradus::EpochProgress& progress);
  void epoch(const gradus::EpochRecord& record);

 private:
  double examples_;
  bool validates_;
  std::int64_t epochs_;
  std::int64_t every_;  // epochs a line
  std::string loss_, metric_;
  bool shown_;
  std::optional<Bar> bar_;
};

}  // namespace fm
