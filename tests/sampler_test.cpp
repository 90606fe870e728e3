// Gibbs sampling and ALS: slopes and errors against the graph, draws against the posterior (Geweke's joint test, a
// grid), ALS against the gradients of the loss, the same bits with any number of threads; and MovieLens-100k, where it
// is found.
#include "refusal.h"
#include "sampler_data.h"

#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/read.h>
#include <gradus/models/metrics.h>
#include <gradus/models/training/detail/coordinates.h>
#include <gradus/models/training/detail/draws.h>
#include <gradus/models/training/detail/feature_columns.h>
#include <gradus/models/training/sampler.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>

#include "data_folder.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>

using namespace gradus;

namespace {

// A model in a session with a sampler on it.
struct Chain {
  Chain(const Rows& data, const ModelOptions& of_model, const SamplerOptions& sampling)
      : options(of_model), model(make_model(graph, data.x.dim(1), options, data.weighted())), session(graph) {
    sampler = std::make_unique<Sampler>(session, model, options, data, sampling);
  }
  double loss(const Rows& data) {
    Feeds feeds = data.weighted() ? Feeds{{model.X, data.x}, {model.y, data.y}, {model.weight, data.weight}}
                                  : Feeds{{model.X, data.x}, {model.y, data.y}};
    return session.run(model.loss, feeds).item();
  }
  std::vector<Tensor> parameters() {
    std::vector<Tensor> out;
    for (const Expr& parameter : model.parameters) out.push_back(session.value(parameter));
    return out;
  }

  Graph graph;
  ModelOptions options;
  Model model;
  Session session;
  std::unique_ptr<Sampler> sampler;
};

ModelOptions small_fm(std::int64_t factors = 3) { return small_model(ModelKind::fm, RowKind::pairs, factors); }

constexpr ModelKind sampled_kinds[] = {ModelKind::linear, ModelKind::fm, ModelKind::higher_order,
                                       ModelKind::field_aware};

}  // namespace

TEST_CASE("slopes are the derivatives of y_hat") {
  struct Of {
    ModelKind kind;
    std::int64_t factors;
    int order = 3;
  };
  for (const auto& [kind, side_by_side] :
       {std::pair(RowKind::pairs, true), std::pair(RowKind::pairs, false), std::pair(RowKind::mixed, true)})
    for (const Of& of_model :
         {Of{ModelKind::linear, 1}, Of{ModelKind::fm, 1}, Of{ModelKind::fm, 4}, Of{ModelKind::fm, 5},
          Of{ModelKind::higher_order, 5}, Of{ModelKind::higher_order, 4, 2}, Of{ModelKind::higher_order, 2, 5},
          Of{ModelKind::field_aware, 1}, Of{ModelKind::field_aware, 3}}) {
      CAPTURE(to_string(of_model.kind));
      const Rows data = data_of(kind, 21);
      const std::int64_t p = data.x.dim(1);
      Graph g;
      ModelOptions options = small_model(of_model.kind, kind, of_model.factors);
      options.order = of_model.order;
      options.dtype = float64;
      const Model model = make_model(g, p, options);
      const std::int64_t k = of_model.kind == ModelKind::linear ? 0 : model.parameters[2].shape()[1];
      Session session(g);
      // One column of features that may go side by side; else each feature goes alone.
      std::vector<FeatureColumn> columns = columns_of(*data.x.pattern(), groups_of(kind));
      columns[0].one_hot = columns[0].one_hot && side_by_side;
      const LaneElements elements(data.x, {}, columns, true);
      ParameterTable table(p, 1 + k);
      std::mt19937 random(2);
      std::normal_distribution<float> normal;
      for (std::int64_t i = 0; i < p; ++i)
        for (std::int64_t c = 0; c <= k; ++c) table.row(i)[c] = normal(random);
      const auto coordinates = of_model.kind == ModelKind::higher_order
                                   ? higher_order_coordinates(elements, table, of_model.order)
                               : of_model.kind == ModelKind::field_aware
                                   ? field_aware_coordinates(elements, table, options.field_of, of_model.factors)
                                   : fm_coordinates(elements, table);
      coordinates->restart();
      const auto move = [&](std::int64_t i, std::int64_t c, float by) {
        for (std::size_t g = 0; g < elements.columns(); ++g)
          for (const Lanes& lanes : elements.lanes(g)) {
            std::vector<float> delta(static_cast<std::size_t>(8 * table.stride));
            for (std::size_t lane = 0; lane < 8; ++lane)
              if (lanes.feature[lane] == i) delta[8 * static_cast<std::size_t>(c) + lane] = by;
            coordinates->move(lanes, delta.data());
          }
      };
      move(2, 0, 0.5);  // what is carried along moves too
      if (k > 0) move(7, 1, -0.75);
      const auto y_hat = [&](std::int64_t i, std::int64_t c, double by) {
        std::vector<double> W, V;
        for (std::int64_t j = 0; j < p; ++j)
          for (std::int64_t d = 0; d <= k; ++d)
            (d == 0 ? W : V).push_back(static_cast<double>(table.row(j)[d]) + (j == i && d == c ? by : 0));
        session.assign(model.parameters[1], Tensor::from(W));
        if (k > 0) session.assign(model.parameters[2], Tensor::from(V, {p, k}));
        return session.run(model.y_hat, {{model.X, data.x.cast(float64)}});
      };
      const auto check = [&](const Lanes& lanes) {
        std::vector<float> H(static_cast<std::size_t>(8 * lanes.length * (table.stride + 1)), -1);
        coordinates->slopes(lanes, 0, 1, H.data());
        for (std::int64_t c = 1; c < table.stride; c += coordinates->factors_at_once())
          coordinates->slopes(lanes, c, std::min(coordinates->factors_at_once(), table.stride - c),
                              H.data() + 8 * lanes.length * c);
        for (std::size_t lane = 0; lane < 8; ++lane)
          for (std::int64_t c = 0; c <= k; ++c) {
            const Tensor above = y_hat(lanes.feature[lane], c, 1e-3), below = y_hat(lanes.feature[lane], c, -1e-3);
            for (std::int64_t r = 0; r < lanes.length; ++r) {
              const auto at = static_cast<std::size_t>(8 * r) + lane;
              const Index row = elements.row()[static_cast<std::size_t>(lanes.first) + at];
              const double h = static_cast<double>(H[static_cast<std::size_t>(8 * lanes.length * c) + at]);
              CHECK((row == data.size()) == (r >= lanes.count[lane]));
              const double expected = row < data.size() ? (above.at(row, 0) - below.at(row, 0)) / 2e-3 : 0;
              CHECK(std::abs(h - expected) < 2e-5 * (1 + std::abs(expected)));
            }
          }
      };
      for (std::size_t g = 0; g < elements.columns(); ++g)
        for (const Lanes& lanes : elements.lanes(g)) {
          check(lanes);
          check(lanes.part(lanes.length / 3, 2));
        }
    }
}

TEST_CASE("errors that are carried along are those of the session") {
  for (const bool draws : {true, false})
    for (const bool weighted : {false, true})
      for (const RowKind kind : {RowKind::pairs, RowKind::mixed})
        for (const ModelKind model : sampled_kinds) {
          const Rows data = data_of(kind, 200, weighted);
          ModelOptions options = small_model(model, kind);
          options.l2_V = options.l2_W = 0.01;
          options.target = {.mean = 0.5, .deviation = 2};
          Chain chain(data, options, {.draws = draws, .group = groups_of(kind), .seed = 4});
          for (int i = 0; i < 5; ++i) chain.sampler->iterate(i);
          const Tensor y_hat = chain.session.run(chain.model.y_hat, {{chain.model.X, data.x}});
          const std::vector<float> errors = chain.sampler->errors();
          for (std::int64_t n = 0; n < 200; ++n) {
            const double e = y_hat.at(n, 0) - (data.y.at(n, 0) - 0.5) / 2;
            const double root = weighted ? std::sqrt(data.weight.at(n, 0)) : 1;
            CHECK(std::abs(static_cast<double>(errors[static_cast<std::size_t>(n)]) - root * e) < 1e-4);
          }
        }
}

TEST_CASE("rows of two elements need not have one of each column") {
  // Two of the first, or of the second; as many as there are rows.
  const std::vector<std::int64_t> start{0, 2, 4, 6, 8}, column{0, 1, 2, 3, 0, 1, 2, 3};
  const Rows data{Tensor::csr(4, 4, start, column, std::vector<float>(8, 1)),
                  Tensor::from(std::vector<float>{1, 2, 1.5, 1}, {4, 1})};
  Chain chain(data, small_fm(), {.group = {0, 0, 1, 1}, .seed = 4});
  for (int i = 0; i < 3; ++i) chain.sampler->iterate(i);
  const Tensor y_hat = chain.session.run(chain.model.y_hat, {{chain.model.X, data.x}});
  const std::vector<float> errors = chain.sampler->errors();
  for (std::int64_t n = 0; n < 4; ++n)
    CHECK(std::abs(static_cast<double>(errors[static_cast<std::size_t>(n)]) - (y_hat.at(n, 0) - data.y.at(n, 0))) <
          1e-4);
}

TEST_CASE("a feature of very many rows, whose slopes are not kept") {
  constexpr std::int64_t n = 1'000'000;  // 200,000 of each user, 167,000 of each item
  const Rows data = data_of(RowKind::pairs, n);
  Chain chain(data, small_fm(5), {.group = groups_of(RowKind::pairs), .seed = 4});
  for (int i = 0; i < 3; ++i) chain.sampler->iterate(i);
  const Tensor y_hat = chain.session.run(chain.model.y_hat, {{chain.model.X, data.x}});
  const std::vector<float> errors = chain.sampler->errors();
  double most = 0, squares = 0;
  for (std::int64_t r = 0; r < n; ++r) {
    const double e = y_hat.at(r, 0) - data.y.at(r, 0);
    most = std::max(most, std::abs(static_cast<double>(errors[static_cast<std::size_t>(r)]) - e));
    squares += e * e / n;
  }
  CHECK(most < 1e-4);
  CHECK(squares < 0.12);  // 0.09 is noise
}

TEST_CASE("an iteration goes by the parameters that the session has") {
  for (const RowKind kind : {RowKind::pairs, RowKind::mixed}) {
    const Rows data = data_of(kind, 300);
    Chain chain(data, small_fm(), {.group = groups_of(kind), .seed = 4});
    chain.sampler->iterate(0);
    // Nothing was assigned, then the factors are others.
    for (const bool others : {false, true}) {
      if (others) {
        const Tensor V = chain.session.value(chain.model.parameters[2]);
        chain.session.assign(chain.model.parameters[2],
                             Tensor::from(std::vector<float>(static_cast<std::size_t>(V.stored()), 0.25F), V.shape()));
      }
      Chain fresh(data, small_fm(), {.group = groups_of(kind), .seed = 4});
      for (std::size_t i = 0; i < 3; ++i)
        fresh.session.assign(fresh.model.parameters[i], chain.session.value(chain.model.parameters[i]));
      std::copy(chain.sampler->means().begin(), chain.sampler->means().end(), fresh.sampler->means().begin());
      CHECK(chain.sampler->iterate(7) == fresh.sampler->iterate(7));
      CHECK(chain.parameters() == fresh.parameters());
    }
  }
}

TEST_CASE("the bits do not depend on the number of threads") {
  for (const ModelKind model : {ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware})
    for (const RowKind kind : {RowKind::pairs, RowKind::mixed})
      for (const Task task : {Task::regression, Task::binary}) {
        const Rows all = data_of(kind, 3000);
        const Rows data = task == Task::binary ? with_signs(all) : all;
        ModelOptions options = small_model(model, kind);
        options.task = task;
        std::vector<std::vector<Tensor>> found;
        for (const int threads : {1, 2, 3}) {
          Chain chain(data, options, {.group = groups_of(kind), .seed = 4, .threads = threads});
          for (int i = 0; i < 4; ++i) chain.sampler->iterate(i);
          found.push_back(chain.parameters());
        }
        CHECK(found[1] == found[0]);
        CHECK(found[2] == found[0]);
      }
}

TEST_CASE("ALS lowers the loss of the graph in every iteration, to where its gradients are zero") {
  for (const ModelKind model : {ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware})
    for (const L2Over over : {L2Over::all, L2Over::touched})
      for (const bool weighted : {false, true})
        for (const RowKind kind : {RowKind::pairs, RowKind::mixed}) {
          const Rows data = data_of(kind, 60, weighted);
          ModelOptions options = small_model(model, kind, 2);
          options.l2_w0 = 0.01;
          options.l2_W = 0.02;
          options.l2_V = 0.03;
          options.l2_over = over;
          options.l2_all_W = 0.004;
          options.l2_all_V = 0.005;
          options.l2_features.assign(static_cast<std::size_t>(data.x.dim(1)), -1);
          options.l2_features[1] = 0.1;
          Chain chain(data, options, {.draws = false});
          double before = chain.loss(data);
          for (int i = 0; i < (model == ModelKind::fm ? 300 : 1000); ++i) {
            chain.sampler->iterate(i);
            const double now = chain.loss(data);
            CHECK(now <= before * (1 + 1e-6));
            before = now;
          }
          Feeds feeds = weighted
                            ? Feeds{{chain.model.X, data.x}, {chain.model.y, data.y}, {chain.model.weight, data.weight}}
                            : Feeds{{chain.model.X, data.x}, {chain.model.y, data.y}};
          for (const Expr& dy : gradients(chain.model.loss, chain.model.parameters))
            for (const double each : chain.session.run(dy, feeds).to_dense()) CHECK(std::abs(each) < 1e-4);
        }
}

TEST_CASE("probit draws have the posterior's moments, by a grid") {
  // One feature in all rows but some, and w0; the prior of w is as good as N(0, 1).
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> value, y;
  for (int i = 0; i < 12; ++i) {
    if (i % 4 != 0) {
      column.push_back(0);
      value.push_back(static_cast<float>(i - 5) / 3);
    }
    start.push_back(std::ssize(column));
    y.push_back(i == 3 || i > 6 ? 1.F : -1.F);
  }
  const Rows data{Tensor::csr(12, 1, start, column, value), Tensor::from(y, {12, 1})};
  double expected[5] = {}, total = 0;
  const Tensor x = data.x.to_dense();
  for (double w0 = -5; w0 <= 5; w0 += 0.05)
    for (double w = -5; w <= 5; w += 0.05) {
      double density = std::exp(-(w0 * w0 + w * w) / 2);
      for (std::int64_t i = 0; i < 12; ++i) density *= normal_cdf(data.y.at(i, 0) * (w0 + w * x.at(i, 0)));
      total += density;
      const double moments[5] = {w0, w, w0 * w0, w * w, w0 * w};
      for (int m = 0; m < 5; ++m) expected[m] += density * moments[m];
    }
  Chain chain(data, {.kind = ModelKind::linear, .task = Task::binary},
              {.prior = {.a = 1e9, .g = 1e9, .b = 1e9, .lambda_w0 = 1}, .seed = 8});
  constexpr int draws = 20000;
  double found[5] = {};
  for (int i = 0; i < draws; ++i) {
    chain.sampler->iterate(i);
    const double w0 = chain.session.value(chain.model.parameters[0]).item();
    const double w = chain.session.value(chain.model.parameters[1]).item();
    const double moments[5] = {w0, w, w0 * w0, w * w, w0 * w};
    for (int m = 0; m < 5; ++m) found[m] += moments[m] / draws;
  }
  for (int m = 0; m < 5; ++m) CHECK(std::abs(found[m] - expected[m] / total) < 0.03);
}

TEST_CASE("a probit model tells Phi(y_hat), and its error is -ln Phi(y y_hat)") {
  const Rows data = with_signs(data_of(RowKind::mixed, 40));
  Graph g;
  const Model model =
      make_model(g, data.x.dim(1), {.task = Task::binary, .init_stddev = 0.3, .probit = true, .dtype = float64});
  Session session(g);
  const Feeds feeds{{model.X, data.x.cast(float64)}, {model.y, data.y.cast(float64)}};
  const auto [y_hat, prediction, error] = session.run({model.y_hat, model.prediction, model.error}, feeds);
  double expected = 0;
  for (std::int64_t n = 0; n < 40; ++n) {
    CHECK(std::abs(prediction.at(n, 0) - normal_cdf(y_hat.at(n, 0))) < 1e-9);
    expected -= std::log(normal_cdf(data.y.at(n, 0) * y_hat.at(n, 0))) / 40;
  }
  CHECK(error.item() == doctest::Approx(expected).epsilon(1e-9));
  Graph other;
  CHECK(refusal<ValueError>([&] { make_model(other, 3, {.probit = true}); }) ==
        "make_model: probit is given with a regression task; binary is expected");
}

TEST_CASE("what cannot be sampled is refused") {
  const Rows data = data_of(RowKind::pairs, 30, true);
  const auto refused = [&](const ModelOptions& options, const Rows& rows) {
    return refusal<Error>([&] { Chain(rows, options, {}); });
  };
  CHECK(refused({.kind = ModelKind::deep, .field_of = groups_of(RowKind::pairs)}, data) ==
        "Sampler: a deep model is given, which is not linear in its parameters; all others can be sampled");
  CHECK(refused({.task = Task::ranking}, data) == "Sampler: a ranking task is given; regression or binary is expected");
  CHECK(refused({.task = Task::binary}, with_signs(data)) ==
        "Sampler: a binary task has weights, but draws of z have no place for them");
  CHECK(refused({.dtype = float64}, {data.x.cast(float64), data.y.cast(float64)}) ==
        "Sampler: x is float64 csr [30, 11]; csr of float32 is expected");
}

TEST_CASE("MovieLens-100k, user and item, 20 factors") {
  const auto folder = data_folder("ml-100k");
  if (!std::filesystem::exists(folder / "ua.base")) {
    MESSAGE("skipped: there is no " << (folder / "ua.base").string());
    return;
  }
  const ReadRows rows = read_rows(folder / "ua.base");
  const ReadRows later = read_rows(folder / "ua.test", {.columns = rows.columns});
  const char* const iterations = std::getenv("GRADUS_ITERATIONS");
  const int count = iterations != nullptr ? std::atoi(iterations) : 100;
  ModelOptions options{.factors = 20, .init_stddev = 0.1, .seed = 1, .target = {.mean = 3.53, .deviation = 1.12}};
  const char* const seed = std::getenv("GRADUS_SEED");
  Chain chain(rows, options,
              {.group = *rows.columns.field, .seed = seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1});
  std::vector<double> sum(static_cast<std::size_t>(later.y.size()));
  for (int i = 0; i < count; ++i) {
    chain.sampler->iterate(i);
    const Tensor y_hat = chain.session.run(chain.model.prediction, {{chain.model.X, later.x}});
    for (std::size_t n = 0; n < sum.size(); ++n)
      sum[n] += std::clamp(y_hat.stored_value(static_cast<std::int64_t>(n)), 1., 5.) / count;
  }
  const double found = rmse(later.y, Tensor::from(sum, later.y.shape()).cast(float32));
  MESSAGE("RMSE after " << count << " iterations: " << found);
  CHECK(std::abs(found - (count >= 500 ? 0.9145 : 0.919)) < (count >= 500 ? 0.0015 : 0.003));
}
