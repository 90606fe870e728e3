#include <gradus/models/training/recommender.h>

#include <gradus/core/error.h>
#include <gradus/core/workers.h>
#include <gradus/models/data/column_scale.h>
#include <gradus/models/training/detail/draws.h>
#include <gradus/models/training/detail/item_scores.h>
#include <gradus/ops/narrow_gemm.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t contexts_at_once = 64, items_at_once = 64;  // whose scores lie in the first cache

// Row `context` of one matrix beside each of some rows of another. Features that both have count twice.
Tensor pairs_of(const Tensor& contexts, std::int64_t context, const Tensor& items) {
  const CsrPattern &first = *contexts.pattern(), &second = *items.pattern();
  const auto begin = static_cast<std::size_t>(first.row_start[static_cast<std::size_t>(context)]),
             end = static_cast<std::size_t>(first.row_start[static_cast<std::size_t>(context) + 1]);
  std::vector<std::int64_t> row_start{0}, column;
  std::vector<float> value;
  const auto add = [&](const CsrPattern& pattern, const Tensor& x, std::size_t at) {
    column.push_back(pattern.column[at]);
    value.push_back(x.span<float>()[at]);
  };
  for (std::size_t n = 0; n + 1 < second.row_start.size(); ++n) {
    for (std::size_t at = begin; at < end; ++at) add(first, contexts, at);
    for (auto at = static_cast<std::size_t>(second.row_start[n]);
         at < static_cast<std::size_t>(second.row_start[n + 1]); ++at)
      add(second, items, at);
    row_start.push_back(std::ssize(column));
  }
  return Tensor::csr(items.dim(0), items.dim(1), row_start, column, value, Duplicates::sum);
}

}  // namespace

struct Recommender::State {
  // What is told of a score.
  enum class Told : std::uint8_t { itself, sigmoid, normal };

  // A linear model or a factorization machine, or a sample of one.
  struct SplitModel {
    double w0;
    Tensor W, V;               // [p], [p, k] or [0]
    std::vector<float> items;  // q, own, 1 of so many at a time, then zeros   [blocks, k + 2, items_at_once]
  };

  State(Tensor candidates, const TrainedModel& model, const TrainerOptions& where)
      : items(std::move(candidates)), scale(model.scale), workers(where.threads) {}

  Tensor items;  // [m, p]
  Tensor scale;  // what columns are divided by; [0]: nothing
  mutable Workers workers;
  TargetScale target;
  float least = -std::numeric_limits<float>::infinity(), greatest = -least;
  Told as = Told::itself;
  bool averages = false;           // whether predictions, not scores, are ranked
  std::size_t width = 0;           // k + 2
  std::vector<SplitModel> models;  // one, or all samples; none:
  std::unique_ptr<Predictor> predict;

  float told(float score) const {
    if (as == Told::normal) return static_cast<float>(normal_cdf(static_cast<double>(score)));
    return as == Told::sigmoid ? 1 / (1 + std::exp(-score)) : std::clamp(score, least, greatest);
  }

  void add_model(const Parameters& parameters) {
    const auto V = parameters.find("V");
    SplitModel model{parameters.at("w0").item(), parameters.at("W"), V == parameters.end() ? Tensor() : V->second, {}};
    const std::vector<float> rows = split_rows(items, model.W, model.V);
    width = rows.size() / static_cast<std::size_t>(items.dim(0)) + 1;
    constexpr std::size_t block = items_at_once;
    model.items.resize((static_cast<std::size_t>(items.dim(0)) + block - 1) / block * block * width);
    for (std::size_t item = 0; item < static_cast<std::size_t>(items.dim(0)); ++item) {
      float* const to = &model.items[item / block * block * width + item % block];
      for (std::size_t c = 0; c + 1 < width; ++c) to[c * block] = rows[item * (width - 1) + c];
      to[(width - 1) * block] = 1;
    }
    models.push_back(std::move(model));
  }

  Tensor scaled(const Tensor& x) const { return scale.size() > 0 ? divide_columns(x, scale) : x; }

  // Rows to multiply those of the items by: q, 1, own + w0, in the units of the target.   [n, k + 2] of each model
  std::vector<std::vector<float>> rows_of(const Tensor& contexts) const {
    const std::size_t k = width - 2;
    std::vector<std::vector<float>> out;
    for (const SplitModel& model : models) {
      const std::vector<float> rows = split_rows(contexts, model.W, model.V);
      std::vector<float>& to = out.emplace_back();
      for (std::size_t n = 0; n < rows.size(); n += k + 1) {
        for (std::size_t f = 0; f < k; ++f) to.push_back(static_cast<float>(target.deviation) * rows[n + f]);
        to.push_back(static_cast<float>(target.deviation));
        to.push_back(
            static_cast<float>(target.mean + target.deviation * (model.w0 + static_cast<double>(rows[n + k]))));
      }
    }
    return out;
  }

  // Shows the scores of contexts first to last to `best`, which has one for each of them.
  void score(const std::vector<std::vector<float>>& rows, std::int64_t first, std::int64_t last,
             std::span<BestScores> best) const {
    const std::int64_t n = last - first, size = n * items_at_once;
    const auto k = static_cast<std::int64_t>(width);
    std::vector<float> product(static_cast<std::size_t>(size)), sum;
    for (std::int64_t item = 0; item < items.dim(0); item += items_at_once) {
      sum.assign(averages ? product.size() : 0, 0);
      for (std::size_t s = 0; s < models.size(); ++s) {
        narrow_gemm(isa(), n, items_at_once, k, rows[s].data() + first * k, k, false, models[s].items.data() + item * k,
                    product.data(), false);
        if (!averages) continue;
        if (as == Told::normal)
          add_normal(product, sum);
        else
          add_clipped(product, least, greatest, sum);
      }
      for (std::size_t i = 0; i < sum.size(); ++i) product[i] = sum[i] / static_cast<float>(models.size());
      const std::int64_t count = std::min(items_at_once, items.dim(0) - item);
      for (std::int64_t i = 0; i < n; ++i)
        best[static_cast<std::size_t>(i)].add(
            static_cast<Index>(item),
            std::span(product).subspan(static_cast<std::size_t>(i * items_at_once), static_cast<std::size_t>(count)));
    }
  }

  // The same of one context, pair by pair.
  void predict_pairs(const Tensor& contexts, std::int64_t context, BestScores& best) const {
    constexpr std::int64_t pairs_at_once = 8192;
    for (std::int64_t item = 0; item < items.dim(0); item += pairs_at_once) {
      const Tensor part = items.row_range(item, std::min(pairs_at_once, items.dim(0) - item));
      const Tensor estimates = predict->estimates(pairs_of(contexts, context, part));  // [items, 1]
      best.add(static_cast<Index>(item), estimates.span<float>());
    }
  }
};

Recommender::Recommender(const TrainedModel& model, const std::string& path, const Tensor& candidates,
                         const TrainerOptions& where) {
  if (model.options.task == Task::multiclass)
    fail<ValueError>("{}: tells classes, by which nothing can be ranked; a model of another task is expected", path);
  const Type expected{float32, {candidates.rank() > 0 ? candidates.dim(0) : any, model.columns.count}, Layout::csr};
  if (candidates.type() != expected)
    fail<TypeError>("Recommender: candidates are {}; {} is expected", candidates.type(), expected);
  if (candidates.dim(0) == 0) fail<ValueError>("{}: there is no candidate to be recommended", path);
  const ModelOptions of_model = model_options(model.options, model.columns);
  // With hashed categories a context and a candidate may have a feature in common.
  const bool splits = (model.options.kind == ModelKind::linear || model.options.kind == ModelKind::fm) &&
                      (!model.columns.table || model.columns.table->hash_bits() == 0) && model.columns.hash_bits == 0;
  state_ = std::make_unique<State>(candidates, model, where);
  State& s = *state_;
  const bool binary = model.options.task == Task::binary;
  s.as = !binary ? State::Told::itself : of_model.probit && splits ? State::Told::normal : State::Told::sigmoid;
  if (!splits) {
    s.predict = std::make_unique<Predictor>(model, path, where);
    return;
  }
  s.items = s.scaled(candidates);
  s.target = model.target_scale;
  s.averages = model.samples.count() > 0;
  if (model.options.clip_predictions && model.options.task == Task::regression) {
    s.least = static_cast<float>(model.target_range.least);
    s.greatest = static_cast<float>(model.target_range.greatest);
  }
  const TrainedModel without_relations = folded(model);
  for (const Parameters& sample : without_relations.samples.means) s.add_model(sample);
  if (s.models.empty()) s.add_model(without_relations.parameters);
}

Recommender::~Recommender() = default;

std::vector<std::vector<Recommendation>> Recommender::operator()(const Tensor& contexts, std::int64_t count,
                                                                 std::span<const std::vector<Index>> without) const {
  const State& s = *state_;
  const std::int64_t n = contexts.rank() > 0 ? contexts.dim(0) : 0;
  if (const Type expected{float32, {n, s.items.dim(1)}, Layout::csr}; contexts.type() != expected)
    fail<TypeError>("Recommender: contexts are {}; {} is expected", contexts.type(), expected);
  if (count < 1) fail<ValueError>("Recommender: the {} best are asked for; 1 or more are expected", count);
  if (!without.empty() && std::ssize(without) != n)
    fail<ValueError>("Recommender: what is left out is given for {} contexts, but there are {}", without.size(), n);
  std::vector<BestScores> best;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
    best.emplace_back(count, without.empty() ? std::span<const Index>() : std::span<const Index>(without[i]));
  if (s.predict) {
    for (std::int64_t i = 0; i < n; ++i) s.predict_pairs(contexts, i, best[static_cast<std::size_t>(i)]);
  } else {
    const std::vector<std::vector<float>> rows = s.rows_of(s.scaled(contexts));
    s.workers.for_each(n, contexts_at_once, [&](std::int64_t first, std::int64_t last) {
      s.score(rows, first, last, std::span(best).subspan(static_cast<std::size_t>(first)));
    });
  }
  std::vector<std::vector<Recommendation>> out;
  for (BestScores& each : best) {
    std::vector<Recommendation>& list = out.emplace_back();
    for (const auto& [score, item] : each.take()) list.push_back({item, s.averages ? score : s.told(score)});
  }
  return out;
}

}  // namespace gradus
