// A step of each model beside one of the factorization machine of order 2, in turns, on one thread: batches of 1024
// rows with one feature in each of 12 fields. Order 3 may cost 2.5 times order 2.
#include "data.h"
#include "measure.h"

#include <gradus/gradus.h>

#include <memory>

namespace bench {

using namespace gradus;

namespace {

constexpr std::int64_t fields = 12;
constexpr std::int64_t features = 48000;

struct Trained {
  Trained(const ModelOptions& options, const std::vector<Batch>& of)
      : model(make_model(g, features, options)),
        train(Adagrad(0.05).minimize(model.loss)),
        session(g, Device::cpu(), {.threads = 1}),
        batches(of) {}

  Steps steps() {
    return [this](std::int64_t count) {
      for (; count > 0; --count) {
        const Batch& batch = batches[next++ % batches.size()];
        session.run(train, {{model.X, batch.x}, {model.y, batch.y}});
      }
    };
  }

  Graph g;
  Model model;
  Expr train;
  Session session;
  const std::vector<Batch>& batches;
  std::size_t next = 0;
};

void beside_order_2(benchmark::State& state, const ModelOptions& options) {
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value, target;
  const Tensor drawn = random_uniform({20 * 1024 * fields}, {.seed = 3});
  for (const float u : drawn.span<float>()) {
    const auto field = static_cast<std::int64_t>(column.size()) % fields;
    constexpr std::int64_t size = features / fields;
    column.push_back(field * size + static_cast<std::int64_t>(u * u * static_cast<float>(size)));
    value.push_back(1);
    if (field + 1 < fields) continue;
    start.push_back(static_cast<std::int64_t>(column.size()));
    target.push_back(u);
  }
  const auto n = static_cast<std::int64_t>(target.size());
  const Rows data{Tensor::csr(n, features, start, column, value), Tensor::from(target, {n, 1})};
  std::vector<Batch> batches;
  for (const Batch& batch : Batches(data, {.seed = 1}).epoch(0)) batches.push_back(batch);

  Trained order_2({.factors = options.factors}, batches);
  Trained other(options, batches);
  for (auto _ : state) {
    const auto seconds = take_turns({other.steps(), order_2.steps()});
    state.counters["step_ms"] = 1e3 * median(seconds[0]);
    state.counters["order_2_ms"] = 1e3 * median(seconds[1]);
    state.counters["to_order_2"] = median_ratio(seconds[0], seconds[1]);
  }
}

std::vector<Index> field_of() {
  std::vector<Index> out;
  for (std::int64_t i = 0; i < features; ++i) out.push_back(static_cast<Index>(i / (features / fields)));
  return out;
}

const bool registered = [] {
  const auto add = [](const char* name, const ModelOptions& options) {
    benchmark::RegisterBenchmark(name, beside_order_2, options)->Iterations(1)->Unit(benchmark::kMillisecond);
  };
  add("model/order 3", {.kind = ModelKind::higher_order, .factors = 20, .order = 3});
  add("model/order 4", {.kind = ModelKind::higher_order, .factors = 20, .order = 4});
  add("model/order 5", {.kind = ModelKind::higher_order, .factors = 20, .order = 5});
  add("model/penalty of touched", {.factors = 20, .l2_W = 0.01, .l2_V = 0.01, .l2_over = L2Over::touched});
  add("model/field-aware", {.kind = ModelKind::field_aware, .factors = 4, .field_of = field_of()});
  add("model/deep", {.kind = ModelKind::deep, .factors = 8, .field_of = field_of()});
  return true;
}();

}  // namespace

}  // namespace bench
