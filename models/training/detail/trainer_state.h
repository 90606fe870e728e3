// What a Trainer holds, for the files that work on it: the loop (trainer.cpp), what the model tells
// (trainer_evaluation.cpp) and its state on disk (training_checkpoint.cpp).
#pragma once

#include <gradus/core/run/session.h>
#include <gradus/models/data/batches.h>
#include <gradus/models/data/pair_sampler.h>
#include <gradus/models/training/detail/folding.h>
#include <gradus/models/training/detail/state_shards.h>
#include <gradus/models/training/sampler.h>
#include <gradus/models/training/samples.h>
#include <gradus/models/training/trainer.h>
#include <gradus/models/training/training_step.h>

#include <chrono>
#include <optional>
#include <string>

namespace gradus {

// What a batch, or a block, counts in a mean.
template <class Rows>
double weight_of(const Rows& rows) {
  if (rows.weight.size() == 0) return static_cast<double>(rows.x.dim(0));
  double sum = 0;
  for (const double weight : rows.weight) sum += weight;
  return sum;
}

struct Trainer::State {
  State(SharedBlocks train, SharedBlocks validation, const Columns& columns, const TrainingOptions& training,
        const TrainerOptions& where, const TrainingStart& start);

  double learn(const Batch& batch);
  void begin_chain();
  void end_chain();
  bool is_asked_to_stop(const Watcher& watcher) const;
  bool learn_epoch(const Watcher& watcher, std::chrono::steady_clock::time_point start);
  void visit();
  Tensor told_of(const Rows& rows);
  Tensor estimates_of(const Rows& rows);
  Evaluation validate();
  void tell_of_validation(const Parameters& sample);
  // With relations the keeper takes means of weights that these are folded into.
  Parameters kept() { return folding ? folding->with_weights_folded(now()) : now(); }
  Parameters unfolded(const Parameters& kept) const { return folding ? folding->with_weights_unfolded(kept) : kept; }
  Parameters now() { return parameters_of(*session, model); }
  // Of tables that ranks share out, this rank's rows.
  Parameters own_rows_now();
  // This rank's rows of a value that is whole, or is these already.
  Tensor own_rows_of(const Expr& variable, const Tensor& value) const;
  RowOwners owners_of(const Expr& variable) const;
  Type own_type(const Expr& variable) const;
  StateShards save_shards(const std::string& path);
  void assign_own(const Parameters& own);
  // Whether all parameters are finite, on all ranks.
  bool is_finite();
  bool has_samples() const { return keeper && keeper->samples().count() > 0; }
  std::int64_t batch_count() const { return batches ? batches->count() : 1; }
  Evaluation evaluation_on(const RowBlocks& data);
  Evaluation best_evaluation_on(const RowBlocks& data);
  const RowBlocks& evaluated_rows() const;
  bool is_better(double validation) const;
  const std::string& data_checksum();
  void end_epoch(double seconds);
  [[noreturn]] void diverged(std::int64_t batch) const;

  std::optional<Communicator> ranks;         // none: the trainer is alone
  SharedBlocks train_data, validation_data;  // the second may be null
  DataSummary summary;                       // of the first
  Columns columns;                           // with the relations that follow from the rows to learn from
  TrainingOptions options;                   // settled
  TargetScale target;
  std::string checksum_of_data;        // once it was asked for
  std::optional<PairSampler> sampler;  // of rankings

  Graph graph;
  ModelOptions of_model;
  Model model;
  std::optional<Session> session;
  std::optional<PreparedRun> predict;
  // Of learners that go down gradients; batches of two sizes have two plans.
  std::optional<Batches> batches;
  std::optional<TrainingStep> step;
  bool takes_own_rows = false;  // of batches: this rank's alone
  std::optional<PreparedRun> whole_batch, last_batch;
  // Of als and mcmc.
  std::optional<Sampler> chain;        // none once all epochs are done
  std::vector<float> means;            // of mcmc: those that the chain left
  int threads;                         // of the chain
  std::optional<SampleKeeper> keeper;  // of mcmc
  std::optional<Folding> folding;      // of mcmc with relations
  MeanOfSamples told_of_validation;    // by the samples

  // What a checkpoint holds beside the variables.
  std::int64_t epoch = 0;  // done
  std::int64_t batch = 0;  // done, of the next
  double error_sum = 0;    // of these: the errors of their rows, weighted,
  double weight_sum = 0;   // and the weights
  std::int64_t rows = 0;
  std::vector<EpochRecord> history;
  std::int64_t best_epoch = 0;
  std::optional<double> start_validation;  // of a start that was given, where there is a validation set
  Parameters best;  // as own_rows_now gives them; empty where there is no validation set, and of mcmc
};

}  // namespace gradus
