// What a Trainer does by als and mcmc, which visit one parameter after the other.
#include <gradus/core/error.h>
#include <gradus/core/give_back_memory.h>
#include <gradus/models/training/detail/feature_columns.h>
#include <gradus/models/training/detail/trainer_state.h>

#include <cmath>

namespace gradus {

void Trainer::State::begin_chain() {
  if (chain) return;
  const Rows rows = train_data->block(0);
  chain.emplace(*session, model, of_model, rows,
                SamplerOptions{.draws = options.optimizer == Learner::mcmc,
                               .group = columns.field ? columns.groups() : columns_by_place(*rows.x.pattern()),
                               .seed = options.seed,
                               .threads = threads});
  give_back_memory();  // what it was made with
}

// Its arrays make room for the samples, all of which are read at the end.
void Trainer::State::end_chain() {
  if (!chain) return;
  means.assign(chain->means().begin(), chain->means().end());
  chain.reset();
  give_back_memory();
}

// Visits every parameter, as an epoch.
void Trainer::State::visit() {
  begin_chain();
  const double error = chain->iterate(epoch);
  if (!std::isfinite(error))
    fail<DivergedError>("the loss is no finite number any more in epoch {}{}", epoch + 1,
                        options.normalize.value_or(false)
                            ? ""
                            : "; where columns hold large numbers, .normalize brings them into reach");
  weight_sum = 1;
  error_sum = error * target.deviation * target.deviation;
}

}  // namespace gradus
