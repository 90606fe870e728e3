// Trainings of which only the result is wanted: cross-validation, and a search for good settings by successive halving
// (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016).
#pragma once

#include <gradus/models/training/trainer.h>

#include <functional>
#include <vector>

namespace fm {

struct ValidationFold {
  gradus::Evaluation evaluation;  // of the part that was left out
  double constant = 0;            // loss of the constant there
  std::int64_t epochs = 0;
};

/// Trains `folds` times, each time without another part of the rows (fold_of options.split, which goes by `keys`), and
/// evaluates on that part. It plays no role in the training: options.valid_fraction of the other rows (none, of mcmc)
/// say when to stop, and which penalty the factors get where the options leave it open (weigh_factors). Calls `done`
/// after each. Throws ValueError where there are fewer rows than parts.
std::vector<ValidationFold> cross_validate(const gradus::Rows& data, const gradus::SplitKeys& keys,
                                           const gradus::Columns& columns, const gradus::TrainingOptions& options,
                                           std::int64_t folds, const gradus::TrainerOptions& where,
                                           const std::function<void(const ValidationFold&)>& done);

struct Candidate {
  double rate = 0, l2 = 0;
  std::int64_t factors = 0;
  std::int64_t epochs = 0;  // it was trained for
  double validation = 0;    // infinite where training diverged
};

/// Where the options leave the penalty of the factors open: trains with the usual one, which is wary of interactions,
/// and as long as a quarter of the last does better on the validation set, by more than the chance of its rows, with
/// that. It ends when two in a row do not help. Returns those tried; leaves the best in `options`. Calls `done` after
/// each training. It is worth its time for a model with factors and at most 200,000 rows (weighs_factors).
bool weighs_factors(const gradus::TrainingOptions& options, std::int64_t rows);
std::vector<Candidate> weigh_factors(const gradus::SharedBlocks& train, const gradus::SharedBlocks& validation,
                                     const gradus::Columns& columns, gradus::TrainingOptions& options,
                                     const gradus::TrainerOptions& where,
                                     const std::function<void(const Candidate&)>& done);

/// 27 candidates (learning rates, numbers of factors and L2 penalties around what the options say) are trained for 2
/// epochs, the best 9 for 6, the best 3 for 18. Returns all, the best first, and leaves it in `options`. Calls `done`
/// after each training. Throws ValueError where there is no validation set.
std::vector<Candidate> search(const gradus::SharedBlocks& train, const gradus::SharedBlocks& validation,
                              const gradus::Columns& columns, gradus::TrainingOptions& options,
                              const gradus::TrainerOptions& where, const std::function<void(const Candidate&)>& done);

}  // namespace fm
