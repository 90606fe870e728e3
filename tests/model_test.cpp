// Models by their options: that make_model gives the model asked for, what weights of rows, penalties of touched
// features and pairs of rows mean, and the exact text of what is refused.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/linear.h>
#include <gradus/models/model.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

namespace gradus {
namespace {

constexpr std::int64_t n = 6, p = 5, k = 3;

Tensor some_x() {
  return Tensor(
      {{1, 0, 0, 0.5, 0}, {0, 2, 0, 0, -1}, {0, 0, 0, 0, 0}, {0.3, 0, 1.5, 0, 0.7}, {1, 1, 1, 1, 1}, {0, 0, -2, 0, 0}},
      float64);
}
Tensor some_y() { return Tensor({{1}, {-1}, {1}, {-1}, {-1}, {1}}, float64); }
Tensor some_weight() { return Tensor({{1}, {2}, {0}, {0.5}, {3}, {1}}, float64); }

// A model in a session, its variables moved away from where they start.
struct Case {
  explicit Case(ModelOptions options, bool weighted = false)
      : model(make_model(g, p, with_float64(std::move(options)), weighted)), session(g) {
    std::uint64_t seed = 1;
    for (const Expr& variable : model.parameters)
      session.assign(variable, random_normal(variable.shape(), {.stddev = 0.5, .seed = seed++, .dtype = float64}));
  }
  static ModelOptions with_float64(ModelOptions options) {
    options.dtype = float64;
    return options;
  }

  std::vector<Feed> feeds(const Tensor& x, const Tensor& y, const Tensor& weight = {}) const {
    std::vector<Feed> out{{model.X, x.to_csr()}, {model.y, y}};
    if (model.weight.valid()) out.push_back({model.weight, weight});
    return out;
  }
  std::vector<Feed> feeds() const { return feeds(some_x(), some_y(), some_weight()); }

  Graph g;
  Model model;
  Session session;
};

double square_of(double x) { return x * x; }

}  // namespace

TEST_CASE("make_model gives the model that is asked for") {
  for (const Task task : {Task::regression, Task::binary, Task::ranking}) {
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, p});
    const Expr y = g.placeholder("y", {any, 1});
    const FactorizationMachine fm(X, y, {.factors = k, .init_stddev = 0.3, .seed = 4, .task = task, .l2_V = 0.1});
    Graph h;
    const Model model = make_model(
        h, p, {.task = task, .factors = k, .init_stddev = 0.3, .seed = 4, .l2_V = 0.1, .l2_over = L2Over::all});
    CHECK_FALSE(model.weight.valid());
    REQUIRE(model.parameters.size() == 3);
    const Tensor x_data = some_x().cast(float32).to_csr(), y_data = some_y().cast(float32);
    Session of_fm(g), of_model(h);
    const auto same = [&](const Expr& a, const Expr& b) {
      CHECK(of_fm.run(a, {{X, x_data}, {y, y_data}}) == of_model.run(b, {{model.X, x_data}, {model.y, y_data}}));
    };
    same(fm.y_hat, model.y_hat);
    same(fm.prediction, model.prediction);
    same(fm.error, model.error);
    same(fm.penalty, model.penalty);
    same(fm.loss, model.loss);
  }
  Graph g;
  const Model linear = make_model(g, p, {.kind = ModelKind::linear}, true);
  CHECK(linear.parameters.size() == 2);
  CHECK(linear.weight.shape() == Shape{any, 1});
}

TEST_CASE("without weights and penalties a model has no more nodes than its formula") {
  Graph g, h;
  const Expr X = g.sparse_placeholder("X", {any, p});
  const Expr y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {});
  make_model(h, p);
  CHECK(h.size() == g.size());
}

TEST_CASE("a weight of 2 is a row twice, a weight of 0 no row") {
  for (const Task task : {Task::regression, Task::binary}) {
    for (const L2Over over : {L2Over::all, L2Over::touched}) {
      for (const ModelKind kind : {ModelKind::linear, ModelKind::fm}) {
        const ModelOptions options{
            .kind = kind, .task = task, .factors = k, .l2_w0 = 0.1, .l2_W = 0.2, .l2_V = 0.3, .l2_over = over};
        Case weighted(options, true), plain(options);
        const Tensor x = some_x();
        const auto rows = [&](const std::vector<int>& which, const Tensor& from) {
          std::vector<double> out;
          for (const int r : which)
            for (std::int64_t c = 0; c < from.dim(1); ++c) out.push_back(from.at(r, c));
          return Tensor::from(out, {static_cast<std::int64_t>(which.size()), from.dim(1)});
        };
        const std::vector<int> twice{0, 1, 1, 3, 4, 4, 4};
        const Tensor weight({{1}, {2}, {0}, {1}, {3}, {0}}, float64);
        const double a = weighted.session.run(weighted.model.loss, weighted.feeds(x, some_y(), weight)).item();
        const double b = plain.session.run(plain.model.loss, plain.feeds(rows(twice, x), rows(twice, some_y()))).item();
        CHECK(a == doctest::Approx(b).epsilon(1e-12));
        const Tensor nothing = zeros({n, 1}, float64);
        CHECK(weighted.session.run(weighted.model.error, weighted.feeds(x, some_y(), nothing)).item() == 0);
      }
    }
  }
}

TEST_CASE("a penalty of what is touched is the mean over rows of what their features pay") {
  for (const bool weighted : {false, true}) {
    Case c({.factors = k, .l2_w0 = 0.5, .l2_W = 0.25, .l2_V = 2, .l2_over = L2Over::touched}, weighted);
    const Tensor w0 = c.session.value(c.model.parameters[0]), W = c.session.value(c.model.parameters[1]),
                 V = c.session.value(c.model.parameters[2]);
    double sum = 0, count = 0;
    for (std::int64_t r = 0; r < n; ++r) {
      const double weight = weighted ? some_weight().at(r, 0) : 1;
      count += weight;
      for (std::int64_t i = 0; i < p; ++i) {
        if (some_x().at(r, i) == 0) continue;
        sum += weight * 0.25 * square_of(W.at(i));
        for (std::int64_t f = 0; f < k; ++f) sum += weight * 2 * square_of(V.at(i, f));
      }
    }
    CHECK(c.session.run(c.model.penalty, c.feeds()).item() ==
          doctest::Approx(0.5 * square_of(w0.at(0)) + sum / count).epsilon(1e-12));
    for (const Expr& dw : gradients(c.model.loss, {c.model.parameters[1], c.model.parameters[2]}))
      CHECK(dw.layout() == Layout::rows);
  }
}

TEST_CASE("penalties of touched features: dense as csr, groups, and the linear model's") {
  const std::vector<std::int64_t> group{2, 0, 0, 1, 2};
  std::vector<double> penalties;
  for (const bool csr : {false, true}) {
    Graph g;
    const Expr X = csr ? g.sparse_placeholder("X", {any, p}, float64) : g.placeholder("X", {any, p}, float64);
    const Expr y = g.placeholder("y", {any, 1}, float64);
    const FactorizationMachine fm(X, y,
                                  {.factors = 2,
                                   .init_stddev = 0.5,
                                   .l2_groups = {.group = group, .W = {0.1, 0.2, 0.4}, .V = {{1, 2}, {3, 4}, {5, 6}}},
                                   .l2_over = L2Over::touched});
    Session session(g);
    session.assign(fm.W, Tensor({1, 2, 3, 4, 5}, float64));
    const Tensor x = csr ? some_x().to_csr() : some_x();
    penalties.push_back(session.run(fm.penalty, {{X, x}, {y, some_y()}}).item());
    const GradientCheck result = check_gradients(session, fm.loss, g.trainable_variables(), {{X, x}, {y, some_y()}});
    CHECK_MESSAGE(result.ok, result.report);
    if (!csr) continue;
    const Tensor V = session.value(fm.V);
    const std::vector<double> of_W{0.1, 0.2, 0.4};
    double sum = 0;
    for (std::int64_t r = 0; r < n; ++r) {
      for (std::int64_t i = 0; i < p; ++i) {
        const std::int64_t in = group[static_cast<std::size_t>(i)];
        if (some_x().at(r, i) == 0) continue;
        sum += of_W[static_cast<std::size_t>(in)] * square_of(static_cast<double>(i) + 1);
        for (std::int64_t f = 0; f < 2; ++f) sum += static_cast<double>(2 * in + f + 1) * square_of(V.at(i, f));
      }
    }
    CHECK(penalties.back() == doctest::Approx(sum / n).epsilon(1e-12));
  }
  CHECK(penalties[0] == doctest::Approx(penalties[1]).epsilon(1e-12));
}

TEST_CASE("gradients of weighted and ranking models are central differences") {
  for (const ModelKind kind : {ModelKind::linear, ModelKind::fm}) {
    for (const Task task : {Task::regression, Task::binary, Task::ranking}) {
      for (const L2Over over : {L2Over::all, L2Over::touched}) {
        for (const bool weighted : {false, true}) {
          Case c({.kind = kind, .task = task, .factors = k, .l2_w0 = 0.1, .l2_W = 0.2, .l2_V = 0.3, .l2_over = over},
                 weighted);
          // The bias cancels in a difference: its penalty alone moves it.
          const GradientCheck result = check_gradients(c.session, c.model.loss, c.model.parameters, c.feeds());
          CHECK_MESSAGE(result.ok, result.report);
        }
      }
    }
  }
}

TEST_CASE("ranking: -ln sigma of the difference in each pair, whichever row of it comes first") {
  for (const bool weighted : {false, true}) {
    Case c({.task = Task::ranking, .factors = k}, weighted);
    const Tensor y_hat = c.session.run(c.model.y_hat, c.feeds());
    double sum = 0, count = 0;
    for (std::int64_t r = 0; r < n; r += 2) {
      const double better = some_y().at(r, 0) > 0 ? 1 : -1;
      const double weight = weighted ? some_weight().at(r, 0) + some_weight().at(r + 1, 0) : 1;
      sum += weight * std::log1p(std::exp(-better * (y_hat.at(r, 0) - y_hat.at(r + 1, 0))));
      count += weight;
    }
    CHECK(c.session.run(c.model.error, c.feeds()).item() == doctest::Approx(sum / count).epsilon(1e-12));
    CHECK(c.session.run(c.model.prediction, c.feeds()) == y_hat);
  }
  Case c({.task = Task::ranking});
  CHECK(refusal<Error>([&] {
          c.session.run(c.model.error, c.feeds(Tensor({{1, 0, 0, 0, 0}}, float64), Tensor({{1}}, float64)));
        }) != "");
}

TEST_CASE("targets of a ranking task are checked") {
  CHECK_NOTHROW(check_targets(Task::ranking, some_y()));
  CHECK(refusal<Error>([] {
          check_targets(Task::ranking, Tensor({{1}, {-1}, {1}, {1}}));
        }) == "check_targets: target 3 is 1; ranking takes pairs of rows, one with 1 and one with -1");
  CHECK(refusal<Error>([] {
          check_targets(Task::ranking, Tensor({{5}, {-5}}));
        }) == "check_targets: target 0 is 5; ranking takes pairs of rows, one with 1 and one with -1");
  CHECK(refusal<Error>([] {
          check_targets(Task::ranking, Tensor({{1}, {-1}, {1}}));
        }) == "check_targets: there are 3 targets; ranking takes pairs of rows");
}

TEST_CASE("names of tasks and models") {
  for (const Task task : {Task::regression, Task::binary, Task::ranking}) CHECK(task_named(to_string(task)) == task);
  for (const ModelKind kind :
       {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep})
    CHECK(model_kind_named(to_string(kind)) == kind);
  CHECK(refusal<ValueError>([] { task_named("rank"); }) ==
        "task: \"rank\" is given; regression, binary, ranking or multiclass is expected");
  CHECK(refusal<ValueError>([] { model_kind_named("ffm"); }) ==
        "model: \"ffm\" is given; linear, fm, higher-order, field-aware or deep is expected");
}

TEST_CASE("what make_model and weights refuse") {
  Graph g;
  CHECK(refusal<ValueError>([&] { make_model(g, 0); }) ==
        "make_model: 0 features are given; 1 to 2147483647 are expected");
  CHECK(refusal<ValueError>([&] { make_model(g, p, {.factors = 0}); }) ==
        "FactorizationMachine: factors is 0; 1 or more is expected");
  Graph h;
  // clang-format off
  const Expr X = h.placeholder("X", {7, 16}); const int line = __LINE__;
  const Expr y = h.placeholder("y", {7, 1});
  const Expr flat = h.placeholder("flat", {7});
  const Expr exact = h.placeholder("exact", {7, 1}, float64);
  // clang-format on
  CHECK(refusal<TypeError>([&] { FactorizationMachine fm(X, y, {.weight = flat}); }) ==
        fmt::format("FactorizationMachine: weight is [7] (flat, model_test.cpp:{}) but X is [7, 16] (X, "
                    "model_test.cpp:{}); weight must be [n, 1], a number for each row of X",
                    line + 2, line));
  CHECK(refusal<TypeError>([&] { LinearRegression model(X, y, {.weight = exact}); }) ==
        fmt::format("LinearRegression: weight is float64 [7, 1] (exact, model_test.cpp:{}) but X is float32 [7, 16] "
                    "(X, model_test.cpp:{}); cast one of them",
                    line + 3, line));
  CHECK(h.variables().empty());
}

TEST_CASE("the parameters of a model are known without making it") {
  for (const ModelKind kind :
       {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep}) {
    CAPTURE(to_string(kind));
    for (const std::vector<std::int64_t>& hidden : {std::vector<std::int64_t>{}, {4}, {4, 7}}) {
      const ModelOptions options{
          .kind = kind, .factors = k, .order = 4, .hidden = hidden, .field_of = {0, 2, -1, 0, 1}};
      Graph g;
      std::map<std::string, Shape> made;
      for (const Expr& parameter : make_model(g, p, options).parameters)
        made.emplace(parameter.name(), parameter.shape());
      CHECK(parameter_shapes(p, options) == made);
    }
  }
}

TEST_CASE("a machine for each class, and their softmax") {
  Graph g;
  const Model model = make_model(g, p,
                                 {.task = Task::multiclass,
                                  .factors = k,
                                  .l2_W = 0.1,
                                  .l2_V = 0.2,
                                  .classes = 3,
                                  .l2_over = L2Over::all,
                                  .dtype = float64},
                                 true);
  Session session(g);
  for (std::uint64_t i = 0; i < 3; ++i)
    session.assign(model.parameters[i],
                   random_normal(model.parameters[i].shape(), {.stddev = 0.5, .seed = i + 1, .dtype = float64}));
  const Tensor y = Tensor({{0}, {2}, {1}, {1}, {0}, {2}}, float64);
  const Feeds feeds{{model.X, some_x().to_csr()}, {model.y, y}, {model.weight, some_weight()}};
  const Tensor logits = session.run(model.y_hat, feeds);              // [n, 3]
  const Tensor probabilities = session.run(model.prediction, feeds);  // [n, 3]
  const Tensor w0 = session.value(model.parameters[0]), W = session.value(model.parameters[1]),
               V = session.value(model.parameters[2]);
  const Tensor x = some_x();
  double loss = 0, weights = 0, of_W = 0, of_V = 0;
  for (std::int64_t row = 0; row < n; ++row) {
    double sum = 0, of_class = 0;
    for (std::int64_t c = 0; c < 3; ++c) {
      double expected = w0.stored_value(c);
      for (std::int64_t i = 0; i < p; ++i) {
        expected += W.stored_value(i * 3 + c) * x.stored_value(row * p + i);
        for (std::int64_t j = i + 1; j < p; ++j)
          for (std::int64_t f = c * k; f < (c + 1) * k; ++f)
            expected += V.stored_value(i * 3 * k + f) * V.stored_value(j * 3 * k + f) * x.stored_value(row * p + i) *
                        x.stored_value(row * p + j);
      }
      CHECK(logits.stored_value(row * 3 + c) == doctest::Approx(expected));
      sum += std::exp(expected);
      if (static_cast<double>(c) == y.stored_value(row)) of_class = expected;
    }
    CHECK(probabilities.stored_value(row * 3) == doctest::Approx(std::exp(logits.stored_value(row * 3)) / sum));
    loss += some_weight().stored_value(row) * (std::log(sum) - of_class);
    weights += some_weight().stored_value(row);
  }
  CHECK(session.run(model.error, feeds).item() == doctest::Approx(loss / weights));
  for (const double w : W) of_W += w * w;
  for (const double v : V) of_V += v * v;
  CHECK(session.run(model.penalty, feeds).item() == doctest::Approx(0.1 * of_W + 0.2 * of_V));
  CHECK(parameter_shapes(p, {.task = Task::multiclass, .factors = k, .classes = 3}) ==
        std::map<std::string, Shape>{{"w0", {3}}, {"W", {p, 3}}, {"V", {p, 3 * k}}});
  CHECK(refusal<ValueError>([] {
          Graph other;
          make_model(other, p, {.kind = ModelKind::deep, .task = Task::multiclass});
        }) == "make_model: a multiclass task is given with a deep model; linear and fm can do that");
}

TEST_CASE("features may have penalties of their own") {
  for (const ModelKind kind : {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware}) {
    CAPTURE(to_string(kind));
    ModelOptions options{
        .kind = kind, .factors = k, .field_of = {0, 0, 1, 1, 2}, .l2_W = 0.1, .l2_V = 0.2, .l2_over = L2Over::all};
    Case plain(options);
    options.l2_features = {-1, 3, -1, -1, 0};
    Case own(options);
    const double before = plain.session.run(plain.model.penalty).item();
    double change = 0;
    for (const Expr& parameter : own.model.parameters) {
      if (parameter.name() == "w0") continue;
      const Tensor value = own.session.value(parameter);
      const double lambda = parameter.name() == "W" ? 0.1 : 0.2;
      const std::int64_t columns = value.stored() / p;
      for (std::int64_t c = 0; c < columns; ++c)
        change += (3 - lambda) * std::pow(value.stored_value(columns + c), 2) -
                  lambda * std::pow(value.stored_value(4 * columns + c), 2);
    }
    CHECK(own.session.run(own.model.penalty).item() == doctest::Approx(before + change));
    CHECK(own.session.run(own.model.loss - own.model.error, {{own.model.X, some_x().to_csr()}, {own.model.y, some_y()}})
              .item() == doctest::Approx(before + change));
  }
  CHECK(refusal<ValueError>([] {
          Graph g;
          make_model(g, p, {.l2_features = {1}});
        }) == "make_model: l2_features has 1 entries but there are 5 features");
}

TEST_CASE("predictions are in the units of the targets") {
  Case plain({.factors = k});
  Case scaled({.factors = k, .target = {.mean = 30, .deviation = 4}});
  const Tensor y = plain.session.run(plain.model.prediction, {{plain.model.X, some_x().to_csr()}});
  const Tensor told = scaled.session.run(scaled.model.prediction, {{scaled.model.X, some_x().to_csr()}});
  for (std::int64_t i = 0; i < n; ++i) CHECK(told.stored_value(i) == doctest::Approx(30 + 4 * y.stored_value(i)));
  // The error is that of the scaled targets.
  double error = 0;
  for (std::int64_t i = 0; i < n; ++i) error += std::pow((some_y().stored_value(i) - told.stored_value(i)) / 4, 2) / n;
  CHECK(scaled.session.run(scaled.model.error, {{scaled.model.X, some_x().to_csr()}, {scaled.model.y, some_y()}})
            .item() == doctest::Approx(error));
  CHECK(refusal<ValueError>([] {
          Graph g;
          make_model(g, p, {.target = {.mean = 0, .deviation = 0}});
        }) ==
        "make_model: targets of mean 0 and deviation 0 are given; finite ones and a deviation above 0 are expected");
}

}  // namespace gradus
