#include <gradus/models/training/predictor.h>

#include <gradus/core/error.h>
#include <gradus/core/session.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/data/pair_sampler.h>
#include <gradus/models/training/training_set.h>

#include <algorithm>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t block_rows = 8192;

}  // namespace

struct Predictor::State {
  Graph graph;
  Model model;
  std::unique_ptr<Session> session;
  Expr output;
  Tensor scale;  // what columns are divided by; [0]: nothing
  std::unique_ptr<PreparedRun> run;
};

Predictor::Predictor(const TrainedModel& trained, const std::string& path, const TrainerOptions& where)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.model = make_model(s.graph, trained.features, model_options(trained.options, trained.columns), false);
  s.session = std::make_unique<Session>(s.graph, where.device, SessionOptions{.threads = where.threads});
  for (const Expr& parameter : s.model.parameters) {
    const auto found = trained.parameters.find(parameter.name());
    if (found == trained.parameters.end()) fail<IoError>("{}: is damaged: it lacks {}", path, parameter.name());
    if (found->second.type() != parameter.type())
      fail<IoError>("{}: is damaged: {} is {}; {} is expected", path, parameter.name(), found->second.type(),
                    parameter.type());
    s.session->assign(parameter, found->second);
  }
  s.scale = trained.scale;
  s.output = output_of(s.model, trained.options, trained.target_range);
  s.run = std::make_unique<PreparedRun>(s.session->prepare(s.output, {s.model.X}));
}

Predictor::~Predictor() = default;

Tensor Predictor::operator()(const Tensor& x) {
  return (*state_->run)(state_->scale.size() > 0 ? divide_columns(x, state_->scale) : x);
}

const Expr& Predictor::input() const { return state_->model.X; }
const Expr& Predictor::output() const { return state_->output; }
Session& Predictor::session() { return *state_->session; }

Tensor Predictor::all(const Tensor& x) {
  return Tensor::make<float>({x.dim(0), 1}, [&](std::span<float> out) {
    auto to = out.begin();
    for (std::int64_t first = 0; first < x.dim(0); first += block_rows) {
      const Tensor part = (*this)(x.row_range(first, std::min(block_rows, x.dim(0) - first)));  // [rows, 1]
      to = std::copy_n(part.span<float>().begin(), part.stored(), to);
    }
  });
}

FileEvaluation evaluate_file(const TrainedModel& model, Predictor& predict, DataFile file) {
  LoadedData loaded = load_data_for(model, std::move(file));
  if (loaded.data.y.size() == 0) fail<IoError>("{}: has no targets to compare with", loaded.name);
  if (model.options.task == "ranking") {
    // Beside each item one that this file's user has not taken.
    loaded.data = rows_with_items(loaded.data, model.columns.of_item);
    if (loaded.data.size() == 0) fail<ValueError>("{}: has no item that the model knows", loaded.name);
    const PairSampler sampler(loaded.data, model.columns.of_item, model.options.seed);
    const Batch pairs = sampler.pairs({loaded.data.x, loaded.data.y, loaded.data.weight});
    loaded.data = {pairs.x, pairs.y, pairs.weight};
  }
  FileEvaluation out;
  out.evaluation = evaluate(model.options.task, loaded.data.y, predict.all(loaded.data.x), loaded.data.weight);
  out.name = loaded.name;
  out.unseen = loaded.unseen;
  out.missing = loaded.missing;
  return out;
}

}  // namespace gradus
