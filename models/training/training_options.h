// All that a training can be told, in one struct. training_settings.h has the table of it. What is left open is found
// out from the data (settled, below).
#pragma once

#include <gradus/models/model.h>
#include <gradus/models/training/evaluation.h>
#include <gradus/models/training/row_split.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// How a model is learnt: down its gradients by an optimizer, or one parameter after the other (sampler.h).
enum class Learner : std::uint8_t { sgd, momentum, adagrad, adadelta, rmsprop, adam, adamw, ftrl, als, mcmc };
/// "sgd", ..., "mcmc".
std::string_view to_string(Learner learner);

/// The learning rate over time: exponential by schedule_decay each epoch; cosine to 0 at the last epoch; steps by
/// schedule_decay at each epoch of schedule_at.
enum class RateSchedule : std::uint8_t { constant, exponential, cosine, steps };
/// "constant", "exponential", "cosine" or "steps".
std::string_view to_string(RateSchedule schedule);

struct TrainingOptions {
  // The model.
  ModelKind kind = ModelKind::fm;
  std::optional<Task> task = {};
  std::int64_t factors = 8;
  std::int64_t order = 3;
  std::vector<std::int64_t> hidden = {64, 32};
  std::optional<double> init_stddev = {};
  double l2_w0 = 0;
  std::optional<double> l2_w = {}, l2_v = {};
  std::vector<std::string> l2 = {};  // of the features of single columns, as user=0.1
  std::optional<L2Over> l2_over = {};
  std::optional<double> l2_rows = {};  // of als: how many rows more a feature's penalty counts, where it counts rows
  /// What each category's training rows have in another column, as user:item for the items of each user (relations.h).
  std::vector<std::string> implicit = {};
  std::optional<bool> normalize = {};  // columns by the greatest absolute value of each; not given: those that need it

  // The learner; als and mcmc have no use for what follows but `samples`. A rate of 0 is the optimizer's default; an
  // epsilon of 0 likewise.
  Learner optimizer = Learner::adam;
  std::int64_t samples = 25;  // of mcmc: how many it keeps
  double rate = 0;
  double momentum = 0.9;
  bool nesterov = false;
  double initial_accumulator = 0.1;
  double rho = 0.95;
  double decay = 0.9;
  double rmsprop_momentum = 0;
  bool centered = false;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 0;
  double weight_decay = 0.004;
  double l1 = 0;
  RateSchedule schedule = RateSchedule::constant;
  double schedule_decay = 0.5;
  std::vector<std::int64_t> schedule_at = {};
  double clip_norm = 0, clip_value = 0;  // 0: none

  // The course.
  std::optional<std::int64_t> epochs = {};
  std::optional<std::int64_t> batch = {};     // rows; 0: all
  std::optional<std::int64_t> patience = {};  // epochs without improvement on the validation set; 0: any number
  std::optional<Metric> stop_by = {};         // of the validation set; not given: the main one of the task
  bool balance = false;
  double valid_fraction = 0.1;
  RowSplit split = {};               // how these rows are chosen, and the parts of a cross-validation
  std::int64_t stream_above = 1024;  // MiB
  /// Into how many pieces a batch is cut, whose gradients are added up: what several ranks learn does not depend on how
  /// they are, but on this. Not given: 1, and of several ranks 16.
  std::optional<std::int64_t> pieces = {};
  std::optional<bool> refit = {};
  bool clip_predictions = false;
  std::uint64_t seed = 1;
};

/// Whether the options name a learner that visits one parameter after the other (sampler.h): als or mcmc.
bool visits_parameters(const TrainingOptions& options);

/// Throws ValueError, naming the option, for a value that it may not have, and for one that the learner has no use for.
void check(const TrainingOptions& options);

/// What there is to learn from, as far as options that are left open depend on it.
struct TrainingSize {
  double rows = 0, features = 0, non_zeros = 0;
  bool ones = false;  // whether all non-zeros are 1, as those of categories
};
/// The options with what they leave open found out, but for the task, the metric, the scaling of columns and the refit:
/// batches that make about 50 steps an epoch, of 16 to 1024 rows; epochs for 5000 steps at least, and patience for 300;
/// L2 penalties that weigh what a normal prior of the parameters does (deviation 1 for W of a binary task, 0.22 for V),
/// over all parameters where a step reaches most of them anyway, else over what it touches; and a start of the factors
/// from which the interactions of a row come to little. Of als and mcmc: iterations, a start that they leave soon,
/// penalties that grow with the rows of a feature where all are categories, as if it had 30 more, and what the learner
/// has a use for.
TrainingOptions settled(TrainingOptions options, const TrainingSize& size);

/// {"kind": "fm", ...}, a member for each setting; null where it is left open.
std::string to_json(const TrainingOptions& options);
/// What to_json wrote. Throws IoError, which begins with `name`, where the text is not that.
TrainingOptions training_options_from_json(std::string_view json, const std::string& name);

/// The first setting in which two trainings differ, as ".rate is 0.1 but was 0.2"; empty where there is none.
std::string difference(const TrainingOptions& now, const TrainingOptions& before);

}  // namespace gradus
