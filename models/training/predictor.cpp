#include <gradus/models/training/predictor.h>

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/pair_sampler.h>
#include <gradus/models/training/training_set.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t rows_at_once = 8192;

}  // namespace

struct Predictor::State {
  Graph graph;
  Model model;
  std::unique_ptr<Session> session;
  Expr output;
  Tensor scale;  // what columns are divided by; [0]: nothing
  std::unique_ptr<PreparedRun> run, estimate;
  Parameters parameters;
  Samples samples;  // of mcmc
  bool probit = false;

  // What each of some models tells of the rows; what the model itself tells, where there are none.
  MeanOfSamples told(const std::vector<Parameters>& of, const Tensor& x) {
    MeanOfSamples out(probit);
    if (of.empty()) out.add(all(*estimate, x));
    for (const Parameters& each : of) {
      assign(*session, model, each);
      out.add(all(*estimate, x));
    }
    if (!of.empty()) assign(*session, model, parameters);
    return out;
  }
  bool is_averaged() const { return probit || samples.count() > 0; }

  // For many rows, a few thousand at a time.
  Tensor all(PreparedRun& prepared, const Tensor& x) const {
    return Tensor::make<float>({x.dim(0), output.shape()[1]}, [&](std::span<float> out) {
      auto to = out.begin();
      for (std::int64_t first = 0; first < x.dim(0); first += rows_at_once) {
        const Tensor part =
            prepared(scaled(x.row_range(first, std::min(rows_at_once, x.dim(0) - first))));  // [rows, 1] or [rows, c]
        to = std::copy_n(part.span<float>().begin(), part.stored(), to);
      }
    });
  }
  Tensor scaled(const Tensor& x) const { return scale.size() > 0 ? divide_columns(x, scale) : x; }
};

Predictor::Predictor(const TrainedModel& given, const std::string& path, const TrainerOptions& where)
    : state_(std::make_unique<State>()) {
  const TrainedModel trained = folded(given);
  State& s = *state_;
  s.model = make_model(s.graph, trained.columns.count,
                       model_options(trained.options, trained.columns, trained.target_scale), false);
  s.session = std::make_unique<Session>(s.graph, where.device, SessionOptions{.threads = where.threads});
  for (const Expr& parameter : s.model.parameters) {
    const auto found = trained.parameters.find(parameter.name());
    if (found == trained.parameters.end()) fail<IoError>("{}: is damaged: it lacks {}", path, parameter.name());
    if (found->second.type() != parameter.type())
      fail<IoError>("{}: is damaged: {} is {}; {} is expected", path, parameter.name(), found->second.type(),
                    parameter.type());
    s.session->assign(parameter, found->second);
  }
  s.parameters = trained.parameters;
  s.samples = trained.samples;
  s.probit = model_options(trained.options, trained.columns).probit;
  s.scale = trained.scale;
  s.output = output_of(s.model, trained.options, trained.target_range);
  s.run = std::make_unique<PreparedRun>(s.session->prepare(s.output, {s.model.X}));
  s.estimate = std::make_unique<PreparedRun>(
      s.session->prepare(estimate_of(s.model, trained.options, trained.target_range), {s.model.X}));
}

Predictor::~Predictor() = default;

Tensor Predictor::operator()(const Tensor& x) {
  return state_->is_averaged() ? all(x) : (*state_->run)(state_->scaled(x));
}

const Expr& Predictor::input() const { return state_->model.X; }
const Expr& Predictor::output() const { return state_->output; }
Session& Predictor::session() { return *state_->session; }

Tensor Predictor::all(const Tensor& x) {
  return state_->is_averaged() ? state_->told(state_->samples.means, x).predictions() : state_->all(*state_->run, x);
}
Tensor Predictor::estimates(const Tensor& x) {
  return state_->is_averaged() ? state_->told(state_->samples.means, x).estimates() : state_->all(*state_->estimate, x);
}
Tensor Predictor::deviations(const Tensor& x) { return state_->told(state_->samples.draws, x).deviations(); }

std::vector<GroupEvaluation> evaluate_groups(Task task, const KeptColumn& by, const Tensor& y, const Tensor& estimate,
                                             const Tensor& weight) {
  std::vector<std::vector<Index>> rows(by.values().size());
  for (std::size_t row = 0; row < by.of_row().size(); ++row)
    rows[static_cast<std::size_t>(by.of_row()[row])].push_back(static_cast<Index>(row));
  std::vector<GroupEvaluation> out;
  for (std::size_t group = 0; group < rows.size(); ++group) {
    const Rows part = Rows{estimate, y, weight}.take(rows[group]);
    out.push_back({by.values()[group], evaluate(task, part.y, part.x, part.weight)});
  }
  return out;
}

Evaluation mean_of(const std::vector<GroupEvaluation>& groups) {
  Evaluation out;
  std::vector<double> counts;
  for (const auto& [value, evaluation] : groups) {
    out.examples += evaluation.examples;
    counts.resize(evaluation.metrics.size());
    out.metrics.resize(evaluation.metrics.size());
    for (std::size_t m = 0; m < evaluation.metrics.size(); ++m) {
      out.metrics[m].first = evaluation.metrics[m].first;
      if (!std::isfinite(evaluation.metrics[m].second)) continue;
      out.metrics[m].second += evaluation.metrics[m].second;
      ++counts[m];
    }
  }
  for (std::size_t m = 0; m < counts.size(); ++m) out.metrics[m].second /= counts[m];
  return out;
}

FileEvaluation evaluate_file(const TrainedModel& model, Predictor& predict, DataFile file, const std::string& by) {
  if (!by.empty()) {
    if (model.options.task == Task::ranking)
      fail<ValueError>("{}: metrics of a ranking are of pairs of rows, which are not told by column {}", file.path, by);
    file.read.keep.push_back(by);
  }
  LoadedRows loaded = load_rows_for(model, std::move(file));
  if (model.options.task == Task::ranking) {
    // Beside each item one that this file's user has not taken.
    const Rows rows = rows_with_items(loaded.rows->block(0), model.columns.of_item);
    if (rows.size() == 0) fail<ValueError>("{}: has no item that the model knows", loaded.name);
    const PairSampler sampler(rows, model.columns.of_item, model.options.seed);
    const Batch pairs = sampler.pairs({rows.x, rows.y, rows.weight});
    loaded.rows = in_one_block({pairs.x, pairs.y, pairs.weight});
  }
  // Metrics may need all numbers, but not all of x.
  std::vector<float> y, estimates, weight;
  for (std::int64_t b = 0; b < loaded.rows->blocks(); ++b) {
    const Rows rows = loaded.rows->block(b);
    const auto add = [](std::vector<float>& to, const Tensor& numbers) {
      to.insert(to.end(), numbers.span<float>().begin(), numbers.span<float>().end());
    };
    add(y, rows.y);
    add(estimates, predict.estimates(rows.x));
    add(weight, rows.weight);
  }
  const auto rows = std::ssize(y);
  const auto column = [rows](const std::vector<float>& numbers) {
    return numbers.empty() ? Tensor() : Tensor::from(numbers, {rows, std::ssize(numbers) / rows});  // [n, 1] or [n, c]
  };
  FileEvaluation out;
  out.evaluation = evaluate(*model.options.task, column(y), column(estimates), column(weight));
  out.name = loaded.name;
  if (!by.empty())
    out.groups =
        evaluate_groups(*model.options.task, loaded.kept.front(), column(y), column(estimates), column(weight));
  out.unseen = loaded.unseen;
  out.missing = loaded.missing;
  return out;
}

}  // namespace gradus
