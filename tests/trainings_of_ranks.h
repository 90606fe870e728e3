// Trainings that tests of ranks make with some number of them, and the values of all variables that they end with.
#pragma once

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace trainings_of_ranks {

using namespace gradus;

inline constexpr std::int64_t features = 23;

// Rows with a few non-zeros each.
inline Rows some_rows(std::int64_t count, bool categories) {
  std::mt19937 draw(7);
  std::vector<std::int64_t> start{0};
  std::vector<std::int64_t> column;
  std::vector<float> value, y, weight;
  for (std::int64_t r = 0; r < count; ++r) {
    for (auto c = static_cast<std::int64_t>(draw() % 4); c < features; c += 1 + static_cast<std::int64_t>(draw() % 9)) {
      column.push_back(c);
      value.push_back(categories ? 1.0F : static_cast<float>(draw() % 100) / 50 - 1);
    }
    start.push_back(std::ssize(column));
    y.push_back(draw() % 2 == 0 ? 1.0F : -1.0F);
    weight.push_back(static_cast<float>(1 + draw() % 3));
  }
  return {Tensor::csr(count, features, std::span<const std::int64_t>(start), std::span<const std::int64_t>(column),
                      std::span<const float>(value)),
          Tensor::from(y, {count, 1}), Tensor::from(weight, {count, 1})};
}

using Values = std::map<std::string, Tensor>;

// All variables of a graph after some steps.
struct Training {
  std::function<Expr(Graph&, std::vector<Expr>&)> make;  // gives what is run; and the placeholders of x, y and weight
  Rows rows;
  int steps = 6;
  bool dense = false;
  std::int64_t together = 1;
  Device device = Device::cpu();

  Values run(const Communicator* ranks, std::int64_t pieces, std::int64_t shard_above = std::int64_t{1} << 30) const {
    Graph g;
    std::vector<Expr> fed;
    const Expr train = make(g, fed);
    const SessionOptions options{.threads = 1, .pieces = pieces, .shard_above = shard_above};
    Session session = ranks != nullptr ? Session(g, device, *ranks, options) : Session(g, device, options);
    const Tensor x = dense ? rows.x.to_dense() : rows.x;
    std::vector<Tensor> given{x, rows.y, rows.weight};
    const std::int64_t batch = rows.size() / 2;
    for (int s = 0; s < steps; ++s) {
      const std::int64_t begin = s % 2 * batch;
      const OwnRows own = session.rows_of(batch, together);
      std::vector<Feed> feeds;
      for (std::size_t i = 0; i < fed.size(); ++i)
        feeds.emplace_back(fed[i], given[i].row_range(begin + own.first, own.count));
      session.run(train, feeds);
    }
    Values values;
    for (const Expr& variable : g.variables()) values.emplace(variable.name(), session.value(variable));
    return values;
  }
};

inline void check_same(const Values& a, const Values& b, const std::string& what) {
  REQUIRE_EQ(a.size(), b.size());
  for (const auto& each : a) {
    CAPTURE(what);
    CAPTURE(each.first);
    CHECK_EQ(each.second, b.at(each.first));
  }
}

inline Training model_training(const ModelOptions& options, const std::function<Expr(const Model&)>& train,
                               bool weighted, std::int64_t rows) {
  return {[=](Graph& g, std::vector<Expr>& fed) {
            const Model model = make_model(g, features, options, weighted);
            fed = {model.X, model.y};
            if (weighted) fed.push_back(model.weight);
            return train(model);
          },
          some_rows(rows, true)};
}

/// By name.
inline const std::vector<std::pair<std::string, std::function<Expr(const Model&)>>> optimizers = {
    {"sgd", [](const Model& m) { return GradientDescent(0.1).minimize(m.loss); }},
    {"momentum", [](const Model& m) { return Momentum(0.02).minimize(m.loss); }},
    {"adagrad", [](const Model& m) { return Adagrad(0.1).minimize(m.loss); }},
    {"adadelta", [](const Model& m) { return Adadelta(1.0).minimize(m.loss); }},
    {"rmsprop", [](const Model& m) { return RMSProp(0.01).minimize(m.loss); }},
    {"adam", [](const Model& m) { return Adam(0.01).minimize(m.loss); }},
    {"adamw", [](const Model& m) { return AdamW(0.01).minimize(m.loss); }},
    {"ftrl", [](const Model& m) { return Ftrl(0.1).minimize(m.loss); }}};

// A step of Adagrad by gradients that are clipped together.
inline Expr clipped_step(const Model& m) {
  Adagrad optimizer(0.1);
  std::vector<GradientOf> pairs = optimizer.compute_gradients(m.loss, m.parameters);
  std::vector<Expr> dy;
  for (const GradientOf& pair : pairs) dy.push_back(pair.gradient);
  const ClippedByGlobalNorm all = clip_by_global_norm(dy, 0.05);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].gradient = all.clipped[i];
  return optimizer.apply_gradients(pairs);
}

}  // namespace trainings_of_ranks
