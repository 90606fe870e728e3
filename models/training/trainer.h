// The training loop: epochs of batches, a validation after each, the best epoch kept, and a state that can be written
// after any batch and taken up again to the bit.
//
//   Trainer trainer(train, validation, {}, options);
//   trainer.run({.epoch = [](const EpochRecord& e) { fmt::print("{} {}\n", e.epoch, e.validation); }});
//   std::map<std::string, Tensor> parameters = trainer.parameters();
//
// Results depend on the data and the options alone: not on the threads, nor on where training was interrupted.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/core/device/device.h>
#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/models/data/row_blocks.h>
#include <gradus/models/model.h>
#include <gradus/models/training/evaluation.h>
#include <gradus/models/training/samples.h>
#include <gradus/models/training/training_data.h>
#include <gradus/models/training/training_options.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gradus {

/// A loss that is infinite or no number any more: the message says when, and what to lower.
struct DivergedError : Error {
  using Error::Error;
};

struct EpochRecord {
  std::int64_t epoch = 0;  // from 1
  double loss = 0;         // the mean error of the rows as they were learnt from
  double validation = 0;   // the metric that options.stop_by names; NaN where there is no validation set
  double seconds = 0;      // of learning, without the validation
};

/// How far an epoch has come.
struct EpochProgress {
  std::int64_t epoch = 0;  // from 1
  std::int64_t batch = 0;  // batches done
  std::int64_t batches = 0;
  std::int64_t rows = 0;  // done in this epoch
  double loss = 0;        // mean so far
  double validation = 0;  // of the epoch before; NaN where there is none
  double seconds = 0;     // since this epoch began, or was taken up again
};

/// What is told while training goes on, and asked. All may be left out.
struct Watcher {
  std::function<void(const EpochProgress&)> batch = {};
  std::function<void(const EpochRecord&)> epoch = {};
  std::function<bool()> stop = {};    // asked after each batch
  std::string checkpoint = {};        // the file to write the state to when stopped, and
  std::int64_t checkpoint_every = 0;  // after so many epochs; 0: only when stopped
};

enum class Ending : std::uint8_t { all_epochs, no_improvement, stopped };

struct TrainerOptions {
  int threads = 1;  // 0: all cores
  Device device = Device::cpu();
  /// Ranks that learn together: all are given the same data and options. Each learns from its part of every batch, and
  /// has the same parameters after it; the first alone writes checkpoints. Evaluations each makes by itself, of tables
  /// that are shared out together with the others.
  std::optional<Communicator> ranks = {};
  std::int64_t shard_above = SessionOptions().shard_above;  // bytes, over ranks
  /// Of mcmc: a folder in whose files samples are while it trains, which have no names and are gone with the process;
  /// "": in memory.
  std::string scratch = {};
};

/// Where a training begins, if not by itself: at the parameters of a model, whose target scale holds then. With a
/// validation set they are the best until an epoch is better.
struct TrainingStart {
  Parameters parameters = {};  // none: a start of its own
  TargetScale target = {};
};

/// The rows that have a column of the item: no others can be ranked.
Rows rows_with_items(const Rows& rows, const std::vector<bool>& of_item);

/// What the options say of the model.
ModelOptions model_options(const TrainingOptions& options, const Columns& columns, const TargetScale& target = {});

/// The metric of the validation set that says which epoch is best, as evaluations call it.
std::string stopping_metric(const TrainingOptions& options);

/// What the model tells of a row: its prediction, kept within the range where the options want that.   [n, 1]
Expr output_of(const Model& model, const TrainingOptions& options, const TargetRange& range);

/// What evaluations take of a row: the same, but logits of classes, which no rounding brings to 0 or 1.
/// [n, 1] or [n, c]
Expr estimate_of(const Model& model, const TrainingOptions& options, const TargetRange& range);

/// The loss, on rows of which `evaluated` is known, of the best that can be told without looking at a row: the mean of
/// the targets of `train`, or how often each class is among them; of rankings that of any constant.
double loss_of_constant(Task task, const DataSummary& train, const DataSummary& evaluated);
/// The options of the training that the state in a file is of. Throws IoError.
TrainingOptions options_of_state(const std::string& path);
/// Whether the file is what Trainer::save writes; files that cannot be read are not.
bool is_training_state(const std::string& path);
/// Removes a state, and what ranks have written beside it, if it is there.
void remove_training_state(const std::string& path);

struct StateShards;

class Trainer {
 public:
  /// Data of one width p; `validation` may be null. What the options leave open is found out from `train` (settled).
  /// Targets of regression are brought to mean 0 and deviation 1; losses and predictions are in their own units.
  /// Targets as the task has them; rankings draw an item beside each row's by themselves. Blocks are read again for
  /// every epoch, and once before the first. Of als and mcmc an epoch is a visit of every parameter (sampler.h), and
  /// columns of one field are one group. Throws ValueError for options out of range, for als and mcmc over ranks, and
  /// for a ranking, a batch of all rows, als and mcmc where there is more than one block.
  Trainer(SharedBlocks train, SharedBlocks validation, const Columns& columns, const TrainingOptions& options,
          const TrainerOptions& where = {}, const TrainingStart& start = {});
  /// The same in memory; `validation` may have no rows (Rows{}).
  Trainer(const Rows& train, const Rows& validation, const Columns& columns, const TrainingOptions& options,
          const TrainerOptions& where = {}, const TrainingStart& start = {});
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  ~Trainer();

  /// Goes on to the end, or until `epochs` are done. Throws DivergedError.
  Ending run(const Watcher& watcher = {}, std::int64_t epochs = INT64_MAX);

  /// Of the best epoch on the validation set; without one, of the last. Over ranks all must ask; where a rank is named,
  /// it alone gets tables that are shared out, which may be too large for others. Of mcmc the mean of the samples',
  /// which is not what evaluations and predictions go by.
  Parameters parameters(std::optional<int> for_rank = {});
  /// What mcmc has kept so far: what it predicts is the mean of what the means tell. Of other learners nothing.
  Samples samples() const;
  /// How good they are on other rows, and on the validation set, or, without one, on the rows they were learnt from.
  Evaluation evaluate_on(const Rows& data);
  Evaluation evaluation();
  /// The loss of the constant on the rows of evaluation().
  double constant_loss() const;
  /// What the trainer goes by: the options that were given, with what they left open found out.
  const TrainingOptions& options() const;
  /// The columns that were given, with the relations that the trainer has made of the rows to learn from, options.
  /// implicit: a part of the model.
  const Columns& columns() const;
  /// What brought targets of regression to mean 0 and deviation 1: a part of the model.
  const TargetScale& target_scale() const;
  const std::vector<EpochRecord>& history() const;
  /// Rows that it learns from; and of mcmc for regression the variance of their targets around y_hat, in its units.
  std::int64_t rows() const;
  double noise() const;
  /// From 1; the last where there is no validation set, and of mcmc; 0 before the first, and where none was better than
  /// the start that was given.
  std::int64_t best_epoch() const;
  /// What is done so far, for messages: epochs, and batches of the next.
  std::int64_t epochs_done() const;
  std::int64_t batches_done() const;

  /// The expressions, for those who want to look at them.
  const Model& model() const;

  /// The whole state, in one file that is replaced only when complete; and back. Over ranks all must call it: of tables
  /// that are shared out each writes its own rows beside it, as PATH.shard-RANK.WRITING, and the first the file that
  /// says which of these belong to it; any number of ranks may read them. Throws IoError, for a state that is damaged,
  /// or of other data or options as well.
  void save(const std::string& path);
  void restore(const std::string& path);

 private:
  struct State;
  void save_file(const std::string& path, const StateShards& shards);

  std::unique_ptr<State> state_;
};

}  // namespace gradus
