#include <gradus/models/training/search.h>

#include <gradus/core/error.h>
#include <gradus/core/random.h>
#include <gradus/core/random_order.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_step.h>

#include <algorithm>
#include <limits>
#include <tuple>

namespace gradus {

namespace {

constexpr double no_result = std::numeric_limits<double>::infinity();

std::vector<Index> ascending(std::vector<Index> rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

// The best number of a candidate's training; infinite where it diverged.
double best_validation(const SharedBlocks& train, const SharedBlocks& validation, const Columns& columns,
                       const TrainingOptions& options, const TrainerOptions& where) {
  try {
    Trainer trainer(train, validation, columns, options, where);
    trainer.run();
    return trainer.history()[static_cast<std::size_t>(trainer.best_epoch()) - 1].validation;
  } catch (const DivergedError&) {
    return no_result;
  }
}

TrainingOptions with(TrainingOptions options, const Candidate& candidate) {
  options.rate = candidate.rate;
  options.factors = candidate.factors;
  options.l2_v = candidate.l2;
  options.l2_w = candidate.l2 / 10;
  return options;
}

}  // namespace

std::vector<ValidationFold> cross_validate(const Dataset& data, const Columns& columns, const TrainingOptions& options,
                                           std::int64_t folds, const TrainerOptions& where,
                                           const std::function<void(const ValidationFold&)>& done) {
  if (folds < 2 || folds > data.size())
    fail<ValueError>("{} parts cannot be made of {} examples; each needs one", folds, data.size());
  RandomOrder order(data.size(), options.seed, stream_of("cross-validation"));
  const std::span<const Index> rows = order.at(0, data.size());
  std::vector<ValidationFold> out;
  for (std::int64_t fold = 0; fold < folds; ++fold) {
    const auto first = rows.begin() + data.size() * fold / folds;
    const auto last = rows.begin() + data.size() * (fold + 1) / folds;
    std::vector<Index> others(rows.begin(), first);
    others.insert(others.end(), last, rows.end());
    const Dataset left_out = data.take(ascending({first, last}));
    Dataset train = data.take(ascending(std::move(others)));
    Dataset validation;
    if (options.valid_fraction > 0) {
      Dataset::Split split = train.split(options.valid_fraction, options.seed);
      train = std::move(split.train);
      validation = std::move(split.validation);
    }
    Trainer trainer(train, validation, columns, options, where);
    trainer.run();
    out.push_back({trainer.evaluate_on(left_out), trainer.best_epoch()});
    if (done) done(out.back());
  }
  return out;
}

std::vector<Candidate> search(const SharedBlocks& train, const SharedBlocks& validation, const Columns& columns,
                              TrainingOptions& options, const TrainerOptions& where,
                              const std::function<void(const Candidate&)>& done) {
  if (!validation)
    fail<ValueError>("a search compares on a validation set, but there is none; .valid_fraction holds one out");
  const double rate = options.rate == 0 ? usual_rate(options) : options.rate;
  const double l2 = options.l2_v == 0 ? 0.01 : options.l2_v;
  std::vector<Candidate> candidates;
  for (const double r : {rate / 3, rate, rate * 3})
    for (const std::int64_t k : {std::max<std::int64_t>(options.factors / 2, 1), options.factors, options.factors * 2})
      for (const double penalty : {l2 / 10, l2, l2 * 10}) candidates.push_back({r, penalty, k});

  std::size_t alive = candidates.size();
  for (const std::int64_t epochs : {2, 6, 18}) {
    for (std::size_t i = 0; i < alive; ++i) {
      Candidate& candidate = candidates[i];
      candidate.epochs = std::min(epochs, options.epochs);
      TrainingOptions tried = with(options, candidate);
      tried.epochs = candidate.epochs;
      candidate.validation = best_validation(train, validation, columns, tried, where);
      if (done) done(candidate);
    }
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(alive);
    std::stable_sort(candidates.begin(), end,
                     [](const Candidate& a, const Candidate& b) { return a.validation < b.validation; });
    alive = std::max<std::size_t>(alive / 3, 1);
  }
  if (candidates.front().validation == no_result)
    fail<DivergedError>("the loss became infinite with every candidate of the search; begin with a lower .rate than {}",
                        rate);
  options = with(options, candidates.front());
  return candidates;
}

}  // namespace gradus
