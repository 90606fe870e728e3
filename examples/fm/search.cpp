#include "search.h"

#include <gradus/core/error.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_step.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace fm {

using namespace gradus;

namespace {

// What every result is better than.
double no_result(const TrainingOptions& options) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return more_is_better(stopping_metric(options)) ? -infinity : infinity;
}

// The best number of a candidate's training; infinite where it diverged.
double best_validation(const SharedBlocks& train, const SharedBlocks& validation, const Columns& columns,
                       const TrainingOptions& options, const TrainerOptions& where) {
  try {
    Trainer trainer(train, validation, columns, options, where);
    trainer.run();
    return trainer.history()[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation;
  } catch (const DivergedError&) {
    return no_result(options);
  }
}

// The penalty of W goes with that of V.
TrainingOptions with(TrainingOptions options, const Candidate& candidate) {
  if (*options.l2_v > 0) *options.l2_w *= candidate.l2 / *options.l2_v;
  options.rate = candidate.rate;
  options.factors = candidate.factors;
  options.l2_v = candidate.l2;
  return options;
}

}  // namespace

bool weighs_factors(const TrainingOptions& options, std::int64_t rows) {
  const std::int64_t most = visits_parameters(options) ? 3'000'000 : 200'000;  // als takes seconds for as many
  return !options.l2_v && options.kind != ModelKind::linear && options.optimizer != Learner::mcmc && rows <= most;
}

std::vector<ValidationFold> cross_validate(const Rows& data, const SplitKeys& keys, const Columns& columns,
                                           const TrainingOptions& options, std::int64_t folds,
                                           const TrainerOptions& where,
                                           const std::function<void(const ValidationFold&)>& done) {
  if (folds < 2 || folds > data.size())
    fail<ValueError>("{} parts cannot be made of {} examples; each needs one", folds, data.size());
  const SplitBy by = options.split.by;
  std::vector<ValidationFold> out;
  for (std::int64_t fold = 0; fold < folds; ++fold) {
    const DrawnRows part = fold_of(by, keys, data.size(), folds, fold, options.seed);
    const Rows left_out = data.take(part.drawn);
    Rows train = data.take(part.others);
    Rows validation;
    if (options.valid_fraction > 0 && options.optimizer != Learner::mcmc) {  // which has no use for a validation set
      const DrawnRows held_out =
          hold_out(by, keys.take(part.others), train.size(), options.valid_fraction, options.seed);
      validation = train.take(held_out.drawn);
      train = train.take(held_out.others);
    }
    TrainingOptions tried = options;
    if (weighs_factors(options, train.size()) && validation.x.rank() == 2)
      weigh_factors(in_one_block(train), in_one_block(validation), columns, tried, where, {});
    Trainer trainer(train, validation, columns, tried, where);
    trainer.run();
    DataSummary known, evaluated;
    known.add(train);
    evaluated.add(left_out);
    out.push_back(
        {trainer.evaluate_on(left_out), loss_of_constant(*tried.task, known, evaluated), trainer.best_epoch()});
    if (done) done(out.back());
  }
  return out;
}

std::vector<Candidate> weigh_factors(const SharedBlocks& train, const SharedBlocks& validation, const Columns& columns,
                                     TrainingOptions& options, const TrainerOptions& where,
                                     const std::function<void(const Candidate&)>& done) {
  options = settled(options, summary_of(*train).size());
  TrainingOptions open = options;
  open.epochs.reset();
  open.patience.reset();
  const TrainingOptions usual = settled(open, summary_of(*train).size());
  const bool more = more_is_better(stopping_metric(options));
  // Part of a loss that chance may add or take, as far as two trainings on the same rows differ in it.
  const double chance = 0.5 / std::sqrt(static_cast<double>(validation->size()));
  constexpr std::size_t most = 5;
  const double less = visits_parameters(options) && options.l2_over == L2Over::touched ? 1.5 : 4;
  std::vector<Candidate> tried;
  double best = 0;
  int misses = 0;  // one alone may be as far from letting interactions grow as the penalty before it
  for (double l2 = *options.l2_v; tried.size() < most; l2 /= less) {
    TrainingOptions with = options;
    with.l2_v = l2;
    // A training that is told to go on for long, or never to stop, would do so for each penalty.
    with.epochs = std::min(*options.epochs, *usual.epochs);
    with.patience = usual.patience;
    tried.push_back(
        {options.rate, l2, options.factors, *options.epochs, best_validation(train, validation, columns, with, where)});
    const double found = tried.back().validation;
    if (done) done(tried.back());
    const bool better = tried.size() == 1 || (more ? found > best * (1 + chance) : found < best * (1 - chance));
    if (better) {
      best = found;
      options.l2_v = l2;
      misses = 0;
    } else if (++misses == 2) {
      break;
    }
  }
  return tried;
}

std::vector<Candidate> search(const SharedBlocks& train, const SharedBlocks& validation, const Columns& columns,
                              TrainingOptions& options, const TrainerOptions& where,
                              const std::function<void(const Candidate&)>& done) {
  if (!validation)
    fail<ValueError>("a search compares on a validation set, but there is none; .valid_fraction holds one out");
  const double rate = options.rate == 0 ? usual_rate(options) : options.rate;
  options = settled(options, summary_of(*train).size());
  const double l2 = *options.l2_v == 0 ? 0.01 : *options.l2_v;
  std::vector<Candidate> candidates;
  for (const double r : {rate / 3, rate, rate * 3})
    for (const std::int64_t k : {std::max<std::int64_t>(options.factors / 2, 1), options.factors, options.factors * 2})
      for (const double penalty : {l2 / 3, l2, l2 * 3}) candidates.push_back({r, penalty, k});

  const bool more = more_is_better(stopping_metric(options));
  std::size_t alive = candidates.size();
  // Epochs of few steps come to as much as several of many.
  const std::int64_t longer = std::max<std::int64_t>(*options.patience / 3, 1);
  for (const std::int64_t epochs : {2 * longer, 6 * longer, 18 * longer}) {
    for (std::size_t i = 0; i < alive; ++i) {
      Candidate& candidate = candidates[i];
      candidate.epochs = std::min(epochs, *options.epochs);
      TrainingOptions tried = with(options, candidate);
      tried.epochs = candidate.epochs;
      candidate.validation = best_validation(train, validation, columns, tried, where);
      if (done) done(candidate);
    }
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(alive);
    std::stable_sort(candidates.begin(), end, [more](const Candidate& a, const Candidate& b) {
      return more ? a.validation > b.validation : a.validation < b.validation;
    });
    alive = std::max<std::size_t>(alive / 3, 1);
  }
  if (std::isinf(candidates.front().validation))
    fail<DivergedError>("the loss became infinite with every candidate of the search; begin with a lower .rate than {}",
                        rate);
  options = with(options, candidates.front());
  return candidates;
}

}  // namespace fm
