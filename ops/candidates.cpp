// Losses over a sample of the classes, and the sampler of Zipf's law that they take by default.
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/random.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/random.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_set>
#include <vector>

namespace gradus {

namespace {

// The classes drawn, and behind them the number of draws that it took: more than classes, where none may come twice.
class LogUniformSample final : public Op {
 public:
  LogUniformSample(std::int64_t count, bool unique, std::int64_t range_max, std::uint64_t seed)
      : count_(count), unique_(unique), range_max_(range_max), seed_(seed) {}

  std::string_view name() const override { return "log_uniform_candidate_sampler"; }
  Attributes attributes() const override {
    return {{"num_sampled", count_}, {"unique", unique_}, {"range_max", range_max_}, {"seed", seed_}};
  }
  Traits traits() const override { return {.is_random = true}; }
  Type infer(const OpInputs&) const override { return {int64, {count_ + 1}, Layout::dense}; }

  void compute(Call& call) const override { draw(call.stream, call.run, call.out<std::int64_t>()); }
  // The draws depend on one another: they are the host's, and few.
  void launch(DeviceCall& call) const override {
    std::vector<std::int64_t> drawn(static_cast<std::size_t>(count_) + 1);
    draw(call.stream, call.run, drawn.data());
    call.accelerator().upload(call.out().data, reinterpret_cast<const std::byte*>(drawn.data()),
                              static_cast<std::int64_t>(drawn.size() * sizeof(std::int64_t)));
  }

 private:
  // exp(u log(range_max + 1)) - 1, rounded down, is c with probability log((c + 2) / (c + 1)) / log(range_max + 1).
  void draw(std::uint64_t stream, std::uint64_t run, std::int64_t* out) const {
    const Random uniform({}, Random::Distribution::uniform, 0, 1, seed_of_run(seed_, run), float64);
    const double log_range = std::log1p(static_cast<double>(range_max_));
    std::unordered_set<std::int64_t> met;
    std::array<double, 64> block{};
    std::uint64_t draws = 0;
    for (std::int64_t found = 0; found < count_; ++draws) {
      if (draws % block.size() == 0) uniform.draw(stream, draws, block);
      const double u = block[draws % block.size()];
      const auto drawn = static_cast<std::int64_t>(std::exp(u * log_range)) - 1;
      const std::int64_t c = std::clamp<std::int64_t>(drawn, 0, range_max_ - 1);  // exp rounds
      if (!unique_ || met.insert(c).second) out[found++] = c;
    }
    out[count_] = static_cast<std::int64_t>(draws);
  }

  std::int64_t count_;
  bool unique_;
  std::int64_t range_max_;
  std::uint64_t seed_;
};

// p n for n draws, or the probability 1 - (1 - p)^n that c is among them.   float32 [...]
Expr expected_count(const Expr& classes, const Expr& draws, bool unique, std::int64_t range_max) {
  const Expr p = log1p(1 / (cast(classes, float64) + 1)) / std::log1p(static_cast<double>(range_max));
  return cast(unique ? -expm1(draws * log1p(-p)) : draws * p, float32);
}

}  // namespace

SampledCandidates log_uniform_candidate_sampler(const Operand& true_classes, std::int64_t num_true,
                                                std::int64_t num_sampled, bool unique, std::int64_t range_max,
                                                std::uint64_t seed) {
  constexpr std::string_view op = "log_uniform_candidate_sampler";
  const Expr truth = require_expr(op, true_classes, "true_classes");
  if (!is_integer(truth.dtype()) || !matches(truth.shape(), Shape({truth.rank() > 0 ? truth.shape()[0] : 0, num_true})))
    fail<TypeError>("{}: true_classes is {}; int32 or int64 [n, {}] is expected", op, to_string(truth), num_true);
  if (num_sampled < 1 || range_max < 1 || (unique && num_sampled > range_max))
    fail<ValueError>("{}: num_sampled is {} and range_max {}; at least one class of at least one is drawn{}", op,
                     num_sampled, range_max, unique ? ", and none twice" : "");
  Graph& graph = truth.graph();
  const Graph::Pin pin = graph.pin(true_classes.where());
  const Expr all =
      graph.add(std::make_shared<LogUniformSample>(num_sampled, unique, range_max, seed), {}, true_classes.where());
  const Expr sampled = slice(all, {0}, {num_sampled});
  const Expr draws = cast(reshape(slice(all, {num_sampled}, {1}), Shape()), float64);
  return {sampled, expected_count(truth, draws, unique, range_max), expected_count(sampled, draws, unique, range_max)};
}

namespace {

struct SampledLogits {
  Expr truth;    // [n, num_true]
  Expr sampled;  // [n, num_sampled]
};

SampledLogits sampled_logits(std::string_view op, const Expr& weights, const Expr& biases, const Operand& labels,
                             const Operand& inputs, std::int64_t num_sampled, std::int64_t num_classes,
                             const SampledLossOptions& options, bool remove_hits) {
  const Expr ids = require_expr(op, labels, "labels"), x = require_expr(op, inputs, "inputs");
  if (weights.rank() != 2 || biases.rank() != 1 || !matches(weights.shape(), {num_classes, weights.shape()[1]}) ||
      !matches(biases.shape(), {num_classes}))
    fail<TypeError>("{}: weights is {} and biases {}; [{}, d] and [{}] are expected", op, to_string(weights),
                    to_string(biases), num_classes, num_classes);
  if (!is_integer(ids.dtype()) || ids.rank() != 2 || (ids.shape()[1] != options.num_true && ids.shape()[1] != any))
    fail<TypeError>("{}: labels is {}; int32 or int64 [n, {}] is expected", op, to_string(ids), options.num_true);
  const SampledCandidates candidates =
      options.sampled_values
          ? *options.sampled_values
          : log_uniform_candidate_sampler(ids, options.num_true, num_sampled, true, num_classes, options.seed);
  const DType dtype = weights.dtype();
  const auto lessened = [&](const Expr& logits, const Expr& expected) {
    return logits - log(cast(stop_gradient(expected), dtype));
  };
  // One look-up of all: the gradient of the table is one value of layout rows.
  const Expr sampled = cast(candidates.sampled_candidates, int64);
  const Expr all = concat({sampled, reshape(cast(ids, int64), {any})}, 0, inputs.where());
  const Expr w = gather(weights, all), b = gather(biases, all);
  const Expr true_w = reshape(slice(w, {num_sampled, 0}, {-1, -1}), {any, options.num_true, weights.shape()[1]});
  const Expr true_b = reshape(slice(b, {num_sampled}, {-1}), {any, options.num_true});
  SampledLogits logits;
  logits.truth = lessened(reduce_sum(expand_dims(x, 1) * true_w, 2) + true_b, candidates.true_expected_count);
  logits.sampled = matmul(x, slice(w, {0, 0}, {num_sampled, -1}), {.transpose_b = true}) + slice(b, {0}, {num_sampled});
  logits.sampled = lessened(logits.sampled, candidates.sampled_expected_count);
  if (!remove_hits) return logits;
  const Expr hit = reduce_any(equal(expand_dims(cast(ids, int64), 2), sampled), 1);  // [n, num_sampled]
  const double least = dtype == float32 ? std::numeric_limits<float>::lowest() : std::numeric_limits<double>::lowest();
  logits.sampled = where(hit, least, logits.sampled);
  return logits;
}

}  // namespace

Expr sampled_softmax_loss(const Expr& weights, const Expr& biases, const Operand& labels, const Operand& inputs,
                          std::int64_t num_sampled, std::int64_t num_classes, const SampledLossOptions& options) {
  const Graph::Pin pin = weights.graph().pin(inputs.where());
  const SampledLogits logits = sampled_logits("sampled_softmax_loss", weights, biases, labels, inputs, num_sampled,
                                              num_classes, options, options.remove_accidental_hits.value_or(true));
  const Expr log_p = log_softmax(concat({logits.truth, logits.sampled}, 1));
  return -reduce_mean(slice(log_p, {0, 0}, {-1, options.num_true}), 1);
}

Expr nce_loss(const Expr& weights, const Expr& biases, const Operand& labels, const Operand& inputs,
              std::int64_t num_sampled, std::int64_t num_classes, const SampledLossOptions& options) {
  const Graph::Pin pin = weights.graph().pin(inputs.where());
  const SampledLogits logits = sampled_logits("nce_loss", weights, biases, labels, inputs, num_sampled, num_classes,
                                              options, options.remove_accidental_hits.value_or(false));
  const double true_label = 1 / static_cast<double>(options.num_true);
  return reduce_sum(sigmoid_cross_entropy_with_logits(true_label, logits.truth), 1) +
         reduce_sum(sigmoid_cross_entropy_with_logits(0, logits.sampled), 1);
}

}  // namespace gradus
