#include <gradus/models/training/trainer.h>

#include <gradus/core/listed.h>
#include <gradus/models/training/detail/trainer_state.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

namespace gradus {

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The rows with one drawn beside each, the same every time.
Rows pairs_of(const Rows& rows, const PairSampler& sampler) {
  const Batch pairs = sampler.pairs({rows.x, rows.y, rows.weight});
  return {pairs.x, pairs.y, pairs.weight};
}

// Beside one thread none, beside several one; where their number is not given, as many as Batches takes by itself.
std::optional<int> preparing_threads(int threads) {
  if (threads == 0) return {};
  return threads > 1 ? 1 : 0;
}

BatchOptions batch_options(std::int64_t rows, const TrainingOptions& training, const TrainerOptions& where,
                           const PairSampler* sampler) {
  const std::int64_t batch = *training.batch;
  BatchOptions out{.size = batch == 0 ? rows : batch,
                   .shuffle = batch != 0,
                   .seed = training.seed,
                   .threads = preparing_threads(where.threads)};
  if (sampler != nullptr) out.map = [sampler](Batch& batch) { batch = sampler->pairs(batch); };
  return out;
}

// What the bias starts from: what fits the targets best while there is nothing else. Starting there, and not from 0,
// saves the epochs in which nothing but the bias is learnt. Ranking has no use for one, and targets of regression have
// the mean 0.   [1], of multiclass tasks [c]
std::vector<double> best_bias(Task task, std::int64_t classes, const DataSummary& summary) {
  if (task == Task::binary) {
    constexpr double most = 0.999;  // where all are of one class
    const double m = std::clamp(summary.target_scale().mean, -most, most);
    return {std::log((1 + m) / (1 - m))};
  }
  if (task != Task::multiclass) return {0};
  std::vector<double> out(static_cast<std::size_t>(classes));
  // Half a row more of each class, as there might have been of those that are not there.
  for (std::size_t c = 0; c < out.size(); ++c)
    out[c] = std::log((c < summary.class_sums.size() ? summary.class_sums[c] : 0) + 0.5);
  return out;
}

// With what follows from the rows to learn from: the number of classes, where a task has classes and it is not known,
// and implicit columns.
Columns columns_learnt(Columns columns, const TrainingOptions& options, const DataSummary& summary,
                       const RowBlocks& train) {
  columns.count = summary.columns;
  if (columns.classes == 0) columns.classes = std::max<std::int64_t>(std::ssize(summary.class_sums), 2);
  columns.relations = with_implicit(columns.relations, options.implicit, columns.table.get(), train, "Trainer");
  return columns;
}

// With what the penalty of a feature counts beside its rows, in a loss that is a mean of all.
ModelOptions with_l2_rows(ModelOptions model, const TrainingOptions& options, const DataSummary& summary) {
  if (model.l2_over != L2Over::touched) return model;
  const double part = options.l2_rows.value_or(0) / summary.weight_sum;
  model.l2_all_W = model.l2_W * part;
  model.l2_all_V = model.l2_V * part;
  return model;
}

// A deviation to divide by: 1 where all targets are one.
TargetScale scale_of(Task task, const DataSummary& summary) {
  if (task != Task::regression) return {};
  TargetScale scale = summary.target_scale();
  if (scale.deviation == 0) scale.deviation = 1;
  return scale;
}

SharedBlocks in_memory(const Rows& data) {
  return data.x.rank() == 2 && data.size() > 0 ? in_one_block(data) : nullptr;
}

}  // namespace

Rows rows_with_items(const Rows& rows, const std::vector<bool>& of_item) {
  const CsrPattern& pattern = *rows.x.pattern();
  std::vector<Index> kept;
  for (std::size_t row = 0; row + 1 < pattern.row_start.size(); ++row) {
    const auto first = pattern.column.begin() + pattern.row_start[row];
    const auto last = pattern.column.begin() + pattern.row_start[row + 1];
    if (std::any_of(first, last, [&](Index column) { return of_item[static_cast<std::size_t>(column)]; }))
      kept.push_back(static_cast<Index>(row));
  }
  return std::ssize(kept) == rows.size() ? rows : rows.take(kept);
}

ModelOptions model_options(const TrainingOptions& options, const Columns& columns, const TargetScale& target) {
  ModelOptions out;
  out.kind = options.kind;
  out.task = options.task.value_or(out.task);
  out.factors = options.factors;
  out.order = static_cast<int>(options.order);
  out.hidden = options.hidden;
  if (columns.field) out.field_of = *columns.field;
  out.init_stddev = options.init_stddev.value_or(out.init_stddev);
  out.seed = options.seed;
  out.l2_w0 = options.l2_w0;
  out.l2_W = options.l2_w.value_or(0);
  out.l2_V = options.l2_v.value_or(0);
  out.l2_over = options.l2_over.value_or(L2Over::touched);
  out.probit = visits_parameters(options) && out.task == Task::binary;
  out.l2_features = columns.l2;
  if (!columns.l2.empty()) out.l2_features.resize(static_cast<std::size_t>(columns.features()), -1);
  if (columns.relations) out.relations = columns.relations->matrix(columns.count);  // csr [count, q]
  out.classes = columns.classes;
  out.target = target;
  return out;
}

std::string stopping_metric(const TrainingOptions& options) {
  return options.stop_by ? std::string(to_string(*options.stop_by)) : main_metric(options.task.value());
}

double loss_of_constant(Task task, const DataSummary& train, const DataSummary& evaluated) {
  const double told = train.target_scale().mean;
  const auto [mean, deviation] = evaluated.target_scale();
  switch (task) {
    case Task::regression: return deviation * deviation + (mean - told) * (mean - told);
    case Task::binary: {  // targets are -1 and 1
      const double logit = best_bias(task, 2, train).front();
      return (std::log1p(std::exp(-logit)) * (1 + mean) + std::log1p(std::exp(logit)) * (1 - mean)) / 2;
    }
    case Task::multiclass: {
      const auto classes = std::max(std::ssize(train.class_sums), std::ssize(evaluated.class_sums));
      const std::vector<double> logits = best_bias(task, classes, train);
      double sum = 0, loss = 0;
      for (const double logit : logits) sum += std::exp(logit);
      for (std::size_t c = 0; c < evaluated.class_sums.size(); ++c)
        loss += evaluated.class_sums[c] * (std::log(sum) - logits[c]);
      return loss / evaluated.weight_sum;
    }
    case Task::ranking: break;
  }
  return std::log(2);  // both of a pair are ranked alike
}

Expr estimate_of(const Model& model, const TrainingOptions& options, const TargetRange& range) {
  return options.task == Task::binary || options.task == Task::multiclass ? model.y_hat
                                                                          : output_of(model, options, range);  // [n, 1]
}

Expr output_of(const Model& model, const TrainingOptions& options, const TargetRange& range) {
  if (!options.clip_predictions || options.task != Task::regression) return model.prediction;
  return clip_by_value(model.prediction, range.least, range.greatest);  // [n, 1]
}

Trainer::State::State(SharedBlocks train, SharedBlocks validation, const Columns& of_rows,
                      const TrainingOptions& training, const TrainerOptions& where, const TrainingStart& start)
    : ranks(where.ranks),
      train_data(std::move(train)),
      validation_data(std::move(validation)),
      summary(summary_of(*train_data)),
      columns(columns_learnt(of_rows, training, summary, *train_data)),
      options(settled(training, summary.size(columns.relations.get()))),
      target(start.parameters.empty() ? scale_of(*options.task, summary) : start.target),
      sampler(training.task == Task::ranking
                  ? std::optional<PairSampler>(std::in_place, train_data->block(0), columns.of_item, training.seed)
                  : std::nullopt),
      of_model(with_l2_rows(model_options(options, columns, target), options, summary)),
      model(make_model(graph, summary.columns, of_model, summary.weighted)),
      threads(where.threads),
      told_of_validation(of_model.probit) {
  if (!visits_parameters(options)) {
    BatchOptions of_batches = batch_options(train_data->size(), options, where, sampler ? &*sampler : nullptr);
    // What a batch weighs in all, and which items are drawn for it, all of its rows say.
    takes_own_rows = ranks && ranks->size() > 1 && !summary.weighted && !sampler;
    if (takes_own_rows)
      of_batches.part = [this](std::int64_t count) -> BatchOptions::Part {
        const OwnRows own = session->rows_of(count);
        return {own.first, own.count};
      };
    batches.emplace(train_data, of_batches);
    step.emplace(training_step(model.loss, model.parameters, options, batches->count()));
  }
  // Under a launcher one rank learns what several do.
  const std::int64_t pieces =
      visits_parameters(options) ? 1 : options.pieces.value_or(ranks ? SessionOptions().pieces : 1);
  if (ranks && ranks->size() > 1 && visits_parameters(options))
    fail<ValueError>(
        ".optimizer is {}, which visits one parameter after the other; over {} ranks learners that go down "
        "gradients can learn",
        to_string(options.optimizer), ranks->size());
  if (pieces > 1 || (ranks && ranks->size() > 1)) {
    options.pieces = pieces;
    if (!ranks) ranks = Communicator::threads(1).front();
    session.emplace(graph, where.device, *ranks,
                    SessionOptions{.threads = where.threads, .pieces = pieces, .shard_above = where.shard_above});
  } else {
    ranks.reset();
    session.emplace(graph, where.device, SessionOptions{.threads = where.threads});
  }
  if (const Expr w0 = graph.find("w0"); w0.valid())
    session->assign(w0, Tensor::from(best_bias(*options.task, w0.shape()[0], summary)).cast(w0.dtype()));  // [1] or [c]
  if (!start.parameters.empty()) assign(*session, model, start.parameters);
  if (step) {
    const std::vector<Expr> fetches{step->run, model.error};
    std::vector<Expr> fed{model.X, model.y};
    if (summary.weighted) fed.push_back(model.weight);
    whole_batch.emplace(session->prepare(fetches, fed));
    last_batch.emplace(session->prepare(fetches, fed));
  } else {
    begin_chain();
    if (options.optimizer == Learner::mcmc) keeper.emplace(*options.epochs, options.samples, where.scratch);
    if (keeper && of_model.relations.rank() == 2) folding.emplace(of_model.relations, 1);
  }
  predict.emplace(session->prepare(estimate_of(model, options, summary.range()), {model.X}));
  if (validation_data && sampler)
    validation_data = in_one_block(pairs_of(rows_with_items(validation_data->block(0), columns.of_item), *sampler));
  if (validation_data && !keeper && !start.parameters.empty()) {
    start_validation = validate().of(stopping_metric(options));
    best = own_rows_now();
  }
}

// Makes a step; returns the mean error of the batch before it.
double Trainer::State::learn(const Batch& rows_of) {
  PreparedRun& run = rows_of.number + 1 == batch_count() ? *last_batch : *whole_batch;
  Tensor x = rows_of.x, y = rows_of.y, weight = rows_of.weight;
  if (ranks) {
    ranks->note(fmt::format("epoch {}, batch {}", epoch + 1, rows_of.number + 1));
    if (!takes_own_rows) {
      const auto [first, count] = session->rows_of(x.dim(0), sampler ? 2 : 1);
      x = x.row_range(first, count);
      y = y.row_range(first, count);
      if (weight.size() > 0) weight = weight.row_range(first, count);
    }
  }
  if (rows_of.weight.size() > 0)
    run(x, y, weight);
  else
    run(x, y);
  return run.result(1).item() * target.deviation * target.deviation;
}

// Of ranks, whether any was asked before the step that they have just made: all hear it after the same one.
bool Trainer::State::is_asked_to_stop(const Watcher& watcher) const {
  return ranks ? ranks->flag_seen() : watcher.stop && watcher.stop();
}

void Trainer::State::diverged(std::int64_t at_batch) const {
  const double rate = options.rate == 0 ? usual_rate(options) : options.rate;
  fail<DivergedError>(
      "the loss is no finite number any more in epoch {}, batch {} of {}: lower .rate, which is {}, or set .clip_norm "
      "1{}",
      epoch + 1, at_batch, batch_count(), rate,
      options.normalize.value_or(false) ? "" : "; where columns hold large numbers, .normalize brings them into reach");
}

// Whether an epoch's validation beats those before it. What is no number (the AUC of one class) never does.
bool Trainer::State::is_better(double validation) const {
  if (best_epoch == 0 && !start_validation) return true;
  const double best_so_far =
      best_epoch == 0 ? *start_validation : history[static_cast<std::size_t>(best_epoch) - 1].validation;
  return more_is_better(stopping_metric(options)) ? validation > best_so_far : validation < best_so_far;
}

// Makes the steps of an epoch that are left. Returns whether it came to its end.
bool Trainer::State::learn_epoch(const Watcher& watcher, std::chrono::steady_clock::time_point start) {
  for (const Batch& rows_of : batches->epoch(epoch, batch)) {
    if (ranks) ranks->raise_flag(watcher.stop && watcher.stop());
    const double error = learn(rows_of);
    if (!std::isfinite(error)) diverged(rows_of.number + 1);
    const double weight = takes_own_rows ? static_cast<double>(rows_of.rows) : weight_of(rows_of);
    error_sum += error * weight;
    weight_sum += weight;
    rows += takes_own_rows ? rows_of.rows : rows_of.x.dim(0);
    batch = rows_of.number + 1;
    if (watcher.batch)
      watcher.batch({epoch + 1, batch, batch_count(), rows, error_sum / weight_sum,
                     history.empty() ? none : history.back().validation, seconds_since(start)});
    if (batch < batch_count() && is_asked_to_stop(watcher)) return false;
  }
  return true;
}

void Trainer::State::end_epoch(double seconds) {
  EpochRecord record{epoch + 1, error_sum / weight_sum, none, seconds};
  if (keeper && keeper->add(record.epoch, kept())) tell_of_validation(keeper->samples().means.back());
  if (validation_data) {
    const Evaluation found = validate();
    if (!std::isfinite(found.main())) diverged(batch_count());
    record.validation = found.of(stopping_metric(options));
  }
  if (!validation_data || keeper) {
    best_epoch = record.epoch;
  } else if (is_better(record.validation)) {
    best_epoch = record.epoch;
    best = own_rows_now();
  }
  history.push_back(record);
  ++epoch;
  batch = 0;
  rows = 0;
  error_sum = 0;
  weight_sum = 0;
}

Trainer::Trainer(SharedBlocks train, SharedBlocks validation, const Columns& columns, const TrainingOptions& options,
                 const TrainerOptions& where, const TrainingStart& start) {
  check(options);
  if (!options.task) fail<ValueError>("Trainer: .task is left open; load_training_set finds it out");
  const std::vector<std::string> metrics = metrics_of(*options.task);
  if (const std::string metric = stopping_metric(options);
      std::find(metrics.begin(), metrics.end(), metric) == metrics.end())
    fail<ValueError>(".stop_by is {}, but the metrics of a {} task are {}", stopping_metric(options),
                     to_string(*options.task), listed(metrics));
  const bool all_at_once = options.batch == 0;
  const bool by_blocks = train->blocks() > 1 || (validation && validation->blocks() > 1);
  if (by_blocks && (options.task == Task::ranking || all_at_once || visits_parameters(options)))
    fail<ValueError>("Trainer: {} needs all rows at once, but they are in blocks", visits_parameters(options)
                                                                                       ? to_string(options.optimizer)
                                                                                   : all_at_once ? "a batch of all rows"
                                                                                                 : "a ranking");
  state_ = std::make_unique<State>(std::move(train), std::move(validation), columns, options, where, start);
}

Trainer::Trainer(const Rows& train, const Rows& validation, const Columns& columns, const TrainingOptions& options,
                 const TrainerOptions& where, const TrainingStart& start)
    : Trainer(in_one_block(train), in_memory(validation), columns, options, where, start) {}

Trainer::~Trainer() = default;

Ending Trainer::run(const Watcher& watcher, std::int64_t epochs) {
  State& s = *state_;
  const std::int64_t patience = s.options.patience.value_or(0);
  const bool by_validation = s.validation_data && patience > 0;
  const std::int64_t last = std::min(epochs, *s.options.epochs);
  while (s.epoch < last) {
    if (by_validation && s.epoch - s.best_epoch >= patience) return Ending::no_improvement;
    const auto start = std::chrono::steady_clock::now();
    if (visits_parameters(s.options)) {
      s.visit();
    } else if (!s.learn_epoch(watcher, start)) {
      if (!watcher.checkpoint.empty()) save(watcher.checkpoint);
      return Ending::stopped;
    }
    s.end_epoch(seconds_since(start));
    if (watcher.epoch) watcher.epoch(s.history.back());
    const bool stop = s.is_asked_to_stop(watcher);
    const bool due = watcher.checkpoint_every > 0 && s.epoch % watcher.checkpoint_every == 0;
    if (!watcher.checkpoint.empty() && (stop || due)) save(watcher.checkpoint);
    if (stop) return Ending::stopped;
  }
  if (s.epoch == *s.options.epochs) s.end_chain();
  if (by_validation && s.epoch < *s.options.epochs && s.epoch - s.best_epoch >= patience) return Ending::no_improvement;
  return Ending::all_epochs;
}

Parameters Trainer::parameters(std::optional<int> for_rank) {
  State& s = *state_;
  if (s.has_samples()) {
    const Parameters mean = mean_of(s.keeper->samples());
    s.keeper->let_go();
    return s.unfolded(mean);
  }
  // The last step without validation is seen by nobody else.
  if (s.best.empty() && !s.is_finite()) s.diverged(s.batch_count());
  Parameters out;
  for (const Expr& parameter : s.model.parameters) {
    const Tensor own =
        s.best.empty() ? s.session->own_value(parameter) : s.own_rows_of(parameter, s.best.at(parameter.name()));
    Tensor whole = s.session->all_rows(parameter, own, for_rank);
    if (whole.type() == parameter.type()) out.emplace(parameter.name(), std::move(whole));
  }
  return out;
}

Evaluation Trainer::evaluate_on(const Rows& data) {
  return state_->best_evaluation_on(*in_one_block(state_->sampler ? pairs_of(data, *state_->sampler) : data));
}

const RowBlocks& Trainer::State::evaluated_rows() const { return validation_data ? *validation_data : *train_data; }

Evaluation Trainer::evaluation() {
  State& s = *state_;
  if (s.sampler && !s.validation_data) return evaluate_on(s.train_data->block(0));
  return s.best_evaluation_on(s.evaluated_rows());
}

double Trainer::constant_loss() const {
  const State& s = *state_;
  return loss_of_constant(*s.options.task, s.summary, s.validation_data ? summary_of(*s.validation_data) : s.summary);
}

Samples Trainer::samples() const {
  Samples out = state_->keeper ? state_->keeper->samples() : Samples();
  for (std::vector<Parameters>* all : {&out.means, &out.draws})
    for (Parameters& each : *all) each = state_->unfolded(each);
  return out;
}
std::int64_t Trainer::rows() const { return state_->summary.rows; }

double Trainer::noise() const {
  const State& s = *state_;
  if (!s.keeper || s.options.task != Task::regression) return 0;
  // The rows' errors, by which alpha is drawn, without the first, which are larger.
  const auto first = s.history.begin() + std::ssize(s.history) / 10;
  double sum = 0;
  for (auto record = first; record != s.history.end(); ++record) sum += record->loss;
  return sum / static_cast<double>(std::max<std::ptrdiff_t>(s.history.end() - first, 1)) /
         (s.target.deviation * s.target.deviation);
}

const TrainingOptions& Trainer::options() const { return state_->options; }
const TargetScale& Trainer::target_scale() const { return state_->target; }
const Columns& Trainer::columns() const { return state_->columns; }
const Model& Trainer::model() const { return state_->model; }
const std::vector<EpochRecord>& Trainer::history() const { return state_->history; }
std::int64_t Trainer::best_epoch() const { return state_->best_epoch; }
std::int64_t Trainer::epochs_done() const { return state_->epoch; }
std::int64_t Trainer::batches_done() const { return state_->batch; }

}  // namespace gradus
