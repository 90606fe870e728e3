// What a Trainer holds, for the two files that work on it: the loop (trainer.cpp) and its state on disk
// (training_checkpoint.cpp).
#pragma once

#include <gradus/core/run/session.h>
#include <gradus/models/data/batches.h>
#include <gradus/models/data/pair_sampler.h>
#include <gradus/models/training/trainer.h>
#include <gradus/models/training/training_step.h>

#include <optional>
#include <string>

namespace gradus {

struct Trainer::State {
  State(SharedBlocks train, SharedBlocks validation, const Columns& columns, const TrainingOptions& training,
        const TrainerOptions& where);

  double learn(const Batch& batch);
  Evaluation evaluation_on(const DatasetBlocks& data);
  Evaluation best_evaluation_on(const DatasetBlocks& data);
  const DatasetBlocks& evaluated_rows() const;
  bool is_better(double validation) const;
  const std::string& data_checksum();
  void end_epoch(double seconds);
  [[noreturn]] void diverged(std::int64_t batch) const;

  SharedBlocks train_data, validation_data;  // the second may be null
  DataSummary summary;                       // of the first
  TrainingOptions options;                   // settled
  TargetScale target;
  std::string checksum_of_data;        // once it was asked for
  std::optional<PairSampler> sampler;  // of rankings
  Batches batches;

  Graph graph;
  Model model;
  TrainingStep step;
  std::optional<Session> session;
  std::optional<PreparedRun> whole_batch, last_batch;  // batches of two sizes have two plans
  std::optional<PreparedRun> predict;

  // What a checkpoint holds beside the variables.
  std::int64_t epoch = 0;  // done
  std::int64_t batch = 0;  // done, of the next
  double error_sum = 0;    // of these: the errors of their rows, weighted,
  double weight_sum = 0;   // and the weights
  std::int64_t rows = 0;
  std::vector<EpochRecord> history;
  std::int64_t best_epoch = 0;
  std::map<std::string, Tensor> best;  // parameters; empty where there is no validation set
};

}  // namespace gradus
