// What a Trainer's model tells of rows, and how good that is.
#include <gradus/models/training/detail/trainer_state.h>

#include <algorithm>

namespace gradus {

// What the model tells of rows with the parameters as they are, a few thousand at a time.   [n, 1] or [n, c]
Tensor Trainer::State::told_of(const Rows& rows) {
  Tensor told = Tensor::uninitialized({rows.y.dtype(), {rows.size(), model.y_hat.shape()[1]}, Layout::dense});
  auto* to = told.writable_data();
  const Batches parts(rows, {.size = 8192, .shuffle = false, .threads = 0});
  for (const Batch& rows_of : parts.epoch(0)) {
    const Tensor part = (*predict)(rows_of.x);
    to = std::copy_n(part.data(), static_cast<std::size_t>(part.stored()) * size_of(part.dtype()), to);
  }
  return told;
}

// What evaluations take: of mcmc from its samples, where it has some.
Tensor Trainer::State::estimates_of(const Rows& rows) {
  if (!visits_parameters(options)) return told_of(rows);
  if (!has_samples()) {
    MeanOfSamples mean(of_model.probit);
    mean.add(told_of(rows));
    return mean.estimates();
  }
  // Sums of all rows at once would take more memory than what is learnt from them.
  constexpr std::int64_t at_a_time = 65536;
  const Parameters before = now();
  Tensor out = Tensor::uninitialized({float32, {rows.size(), 1}, Layout::dense});
  for (std::int64_t first = 0; first < rows.size(); first += at_a_time) {
    const std::int64_t count = std::min(at_a_time, rows.size() - first);
    const Rows part{rows.x.row_range(first, count), rows.y.row_range(first, count)};
    MeanOfSamples mean(of_model.probit);
    for (const Parameters& sample : keeper->samples().means) {
      assign(*session, model, unfolded(sample));
      mean.add(told_of(part));
    }
    const Tensor estimates = mean.estimates();
    std::copy_n(estimates.span<float>().begin(), count, out.writable<float>().begin() + first);
  }
  assign(*session, model, before);
  keeper->let_go();
  return out;
}

// One more of the samples whose predictions for the validation set are averaged.
void Trainer::State::tell_of_validation(const Parameters& sample) {
  if (!validation_data) return;
  const Parameters before = now();
  assign(*session, model, unfolded(sample));
  told_of_validation.add(told_of(validation_data->block(0)));
  assign(*session, model, before);
}

// How good the last epoch is on the validation set, of mcmc the samples so far.
Evaluation Trainer::State::validate() {
  if (!has_samples()) return evaluation_on(*validation_data);
  const Rows rows = validation_data->block(0);
  return evaluate(*options.task, rows.y, told_of_validation.estimates(), rows.weight);
}

// With the parameters as they are.
Evaluation Trainer::State::evaluation_on(const RowBlocks& data) {
  EvaluationOfBlocks all(*options.task);
  for (std::int64_t b = 0; b < data.blocks(); ++b) {
    const Rows block = data.block(b);
    const Tensor estimates = estimates_of(block);
    if (data.blocks() == 1) return evaluate(*options.task, block.y, estimates, block.weight);
    all.add(block.y, estimates, block.weight);
  }
  return all.evaluation();
}

// The best epoch's parameters, and then those of now again, so that training may go on.
Evaluation Trainer::State::best_evaluation_on(const RowBlocks& data) {
  const Parameters now = own_rows_now();
  if (!best.empty()) assign_own(best);
  Evaluation out = evaluation_on(data);
  assign_own(now);
  return out;
}

}  // namespace gradus
