#include <gradus/models/training/detail/gradient_folding.h>

#include <gradus/core/run/session.h>
#include <gradus/models/data/pair_sampler.h>
#include <gradus/models/training/detail/coordinates.h>
#include <gradus/models/training/evaluation.h>
#include <gradus/models/training/trainer.h>
#include <gradus/ops/gradients.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace gradus {

namespace {

constexpr int descent_steps = 400;
constexpr double first_rate = 0.05;  // of Adam: about how far a parameter moves in a step

// The entries of a parameter that belong to new features, as Adam moves them (Kingma and Ba, ICLR 2015).
struct MovedParameter {
  Expr parameter;                     // [p, ...]
  std::vector<float> values;          // all of it
  std::vector<std::size_t> entries;   // those that move,
  std::vector<double> penalty;        // lambda of each, where the error is a mean of rows
  std::vector<double> mean, squares;  // of their gradients

  void step(const Tensor& gradient, int number) {
    constexpr double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    const Tensor dense = gradient.to_dense();
    const std::span<const float> dy = dense.span<float>();
    const double rate = first_rate * (1 - static_cast<double>(number) / descent_steps);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      float& value = values[entries[i]];
      const double g = static_cast<double>(dy[entries[i]]) + 2 * penalty[i] * static_cast<double>(value);
      mean[i] = beta1 * mean[i] + (1 - beta1) * g;
      squares[i] = beta2 * squares[i] + (1 - beta2) * g * g;
      const double m = mean[i] / (1 - std::pow(beta1, number + 1)), s = squares[i] / (1 - std::pow(beta2, number + 1));
      value -= static_cast<float>(rate * m / (std::sqrt(s) + epsilon));
    }
  }
};

// What the rows of a step are: themselves, or pairs.
class Examples {
 public:
  Examples(const TrainedModel& model, const Rows& rows, const Rows& holding) : holding_(holding) {
    if (model.options.task == Task::ranking) sampler_.emplace(rows, model.columns.of_item, model.options.seed);
  }
  Batch at(std::int64_t step) const {
    Batch all{holding_.x, holding_.y, holding_.weight, 0, step};
    return sampler_ ? sampler_->pairs(all) : all;
  }

 private:
  const Rows& holding_;
  std::optional<PairSampler> sampler_;
};

}  // namespace

FoldedIn fold_in_by_gradients(TrainedModel& model, const std::vector<Index>& features, const Rows& rows,
                              const Rows& holding) {
  const Task task = model.options.task.value();
  Graph graph;
  const ModelOptions of_model = model_options(model.options, model.columns, model.target_scale);
  const Model built = make_model(graph, model.columns.count, of_model, holding.weighted());
  const Examples examples(model, rows, holding);
  const FeatureRows by_feature(holding.x, {});
  const auto n = static_cast<double>(holding.size());

  std::vector<MovedParameter> moved;
  std::vector<Expr> wanted;
  for (const Expr& parameter : built.parameters) {
    const std::string& name = parameter.name();
    if (name == "w0" || name.starts_with("deep/")) continue;
    const Tensor& value = model.parameters.at(name);
    MovedParameter each{parameter, {value.span<float>().begin(), value.span<float>().end()}, {}, {}, {}, {}};
    const std::size_t width = each.values.size() / static_cast<std::size_t>(model.columns.count);
    for (const Index i : features) {
      const auto feature = static_cast<std::size_t>(i);
      const double count = of_model.l2_over == L2Over::touched
                               ? static_cast<double>(by_feature.rows(i).size()) + model.options.l2_rows.value_or(0)
                               : std::max(static_cast<double>(model.rows), n);
      const double own = of_model.l2_features.empty() ? -1 : of_model.l2_features[feature];
      const double lambda = own >= 0 ? own : name == "W" ? of_model.l2_W : of_model.l2_V;
      for (std::size_t c = 0; c < width; ++c) {
        each.entries.push_back(feature * width + c);
        each.penalty.push_back(lambda * count / n);
      }
    }
    each.mean.resize(each.entries.size());
    each.squares.resize(each.entries.size());
    moved.push_back(std::move(each));
    wanted.push_back(parameter);
  }

  Session session(graph);
  assign(session, built, model.parameters);
  const auto put = [&](const MovedParameter& each, bool without) {
    std::vector<float> values = each.values;
    if (without)
      for (const std::size_t entry : each.entries) values[entry] = 0;
    session.assign(each.parameter, Tensor::from(values, each.parameter.shape()));
  };
  const Expr estimate = estimate_of(built, model.options, model.target_range);
  const auto error = [&](bool without) {
    for (const MovedParameter& each : moved) put(each, without);
    const Batch of = examples.at(descent_steps);  // pairs that no step has seen
    return evaluate(task, of.y, session.run(estimate, {{built.X, of.x}}), of.weight).main();
  };
  FoldedIn out{std::ssize(features), holding.size(), error(true), 0};

  const std::vector<Expr> dy = gradients(built.error, wanted);
  for (int step = 0; step < descent_steps; ++step) {
    const Batch of = examples.at(step);
    const Feeds feeds = holding.weighted() ? Feeds{{built.X, of.x}, {built.y, of.y}, {built.weight, of.weight}}
                                           : Feeds{{built.X, of.x}, {built.y, of.y}};
    for (const MovedParameter& each : moved) put(each, false);
    const std::vector<Tensor> found = session.run(dy, feeds);
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i].step(found[i], step);
  }
  out.after = error(false);
  for (const MovedParameter& each : moved)
    model.parameters.at(each.parameter.name()) = Tensor::from(each.values, each.parameter.shape());
  return out;
}

}  // namespace gradus
