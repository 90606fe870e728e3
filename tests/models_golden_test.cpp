// The models against tests/golden/models.json: their definitions, summed over all pairs and triples in NumPy; on dense
// and on csr rows, with the gradients of the loss against differences.
#include "golden_file.h"
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/deep.h>
#include <gradus/models/field_aware.h>
#include <gradus/models/higher_order.h>
#include <gradus/models/linear.h>
#include <gradus/models/model.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <vector>

namespace gradus {
namespace {

using nlohmann::json;

const json& golden_models() {
  static const json rows = read_golden("models.json");
  return rows;
}

Tensor golden_x() { return golden_tensor(golden_models().at(0).at("X")); }

// What a row's model is made of here.
struct Made {
  std::vector<Expr> parameters;
  Expr y_hat, loss;
};

constexpr std::int64_t factors = 3;

Made make(const json& row, const Expr& X, const Expr& y, L2Over over) {
  const auto name = row.at("name").get<std::string>();
  if (name == "linear") {
    const LinearRegression m(X, y, {.l2_w0 = 0.1, .l2_W = 0.2, .l2_over = over});
    return {{m.w0, m.W}, m.y_hat, m.loss};
  }
  if (name == "field-aware") {
    const FieldAwareFactorizationMachine m(X, y,
                                           {.field_of = row.at("field_of").get<std::vector<Index>>(),
                                            .factors = factors,
                                            .l2_w0 = 0.1,
                                            .l2_W = 0.2,
                                            .l2_V = 0.3,
                                            .l2_over = over});
    return {{m.w0, m.W, m.V}, m.y_hat, m.loss};
  }
  if (name == "deep") {
    const DeepFactorizationMachine m(
        X, y,
        {.fm = {.factors = factors, .l2_w0 = 0.1, .l2_W = 0.2, .l2_V = 0.3, .l2_over = over},
         .field_of = row.at("field_of").get<std::vector<Index>>(),
         .hidden = row.at("hidden").get<std::vector<std::int64_t>>()});
    Made made{{m.fm.w0, m.fm.W, m.fm.V}, m.y_hat, m.loss};
    made.parameters.insert(made.parameters.end(), m.weights.begin(), m.weights.end());
    made.parameters.insert(made.parameters.end(), m.biases.begin(), m.biases.end());
    return made;
  }
  const HigherOrderFactorizationMachine m(X, y,
                                          {.order = row.at("order").get<int>(),
                                           .factors = factors,
                                           .share_factors = name == "higher-order shared",
                                           .l2_w0 = 0.1,
                                           .l2_W = 0.2,
                                           .l2_V = 0.3,
                                           .l2_over = over});
  Made made{{m.w0, m.W}, m.y_hat, m.loss};
  made.parameters.insert(made.parameters.end(), m.V.begin(), m.V.end());
  return made;
}

}  // namespace

TEST_CASE("models answer what their definitions do, and their gradients are differences") {
  const Tensor x = golden_x();
  const Tensor y_data = random_normal({x.dim(0), 1}, {.seed = 5, .dtype = float64});
  int rows = 0;
  for (const json& row : golden_models()) {
    if (row.contains("X")) continue;
    ++rows;
    CAPTURE(row.at("name").get<std::string>());
    for (const bool csr : {false, true}) {
      for (const L2Over over : {L2Over::all, L2Over::touched}) {
        Graph g;
        const Expr X =
            csr ? g.sparse_placeholder("X", {any, x.dim(1)}, float64) : g.placeholder("X", {any, x.dim(1)}, float64);
        const Expr y = g.placeholder("y", {any, 1}, float64);
        const Made made = make(row, X, y, over);
        Session session(g);
        REQUIRE(made.parameters.size() == row.at("parameters").size());
        for (std::size_t i = 0; i < made.parameters.size(); ++i)
          session.assign(made.parameters[i], golden_tensor(row.at("parameters").at(i)));
        const std::vector<Feed> feeds{{X, csr ? x.to_csr() : x}, {y, y_data}};
        const Tensor right = golden_tensor(row.at("y_hat"));
        CHECK(disagreement(session.run(made.y_hat, feeds), right, 1e-12, 1e-12) == "");
        const GradientCheck result = check_gradients(session, made.loss, made.parameters, feeds);
        CHECK_MESSAGE(result.ok, result.report);
        if (!csr || over == L2Over::all) continue;
        CHECK(gradients(made.loss, {made.parameters[1]})[0].layout() == Layout::rows);
        // One row, and none, are batches too.
        CHECK(disagreement(session.run(made.y_hat, {{X, x.row_range(3, 1).to_csr()}}), right.row_range(3, 1), 1e-12,
                           1e-12) == "");
        CHECK(session.run(made.y_hat, {{X, x.row_range(0, 0).to_csr()}}).shape() == Shape{0, 1});
      }
    }
  }
  CHECK(rows == 15);
}

TEST_CASE("make_model's higher-order, field-aware and deep models are those of their headers") {
  const Tensor x = golden_x();
  const std::vector<Index> field_of{0, 0, 1, 2, 1, 2, 0};
  for (const ModelKind kind : {ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep}) {
    Graph g;
    const Model model =
        make_model(g, x.dim(1), {.kind = kind, .factors = factors, .order = 4, .hidden = {4, 2}, .field_of = field_of});
    CHECK(model.parameters.size() == g.trainable_variables().size());
    Session session(g);
    const Tensor y_data = random_normal({x.dim(0), 1}, {.seed = 5});
    const std::vector<Feed> feeds{{model.X, x.cast(float32).to_csr()}, {model.y, y_data}};
    const Expr train = Adagrad(0.1).minimize(model.loss);
    const double before = session.run(model.loss, feeds).item();
    for (int i = 0; i < 200; ++i) session.run(train, feeds);
    CHECK(session.run(model.loss, feeds).item() < 0.2 * before);
  }
}

TEST_CASE("a machine of order 3 learns what takes three features, which order 2 cannot") {
  // The parity of three bits, one-hot: no pair tells anything of it.
  std::vector<double> x, y;
  for (int row = 0; row < 8; ++row) {
    int ones = 0;
    for (int bit = 0; bit < 3; ++bit) {
      const int on = (row >> bit) & 1;
      ones += on;
      x.insert(x.end(), {on == 0 ? 1.0 : 0.0, on == 1 ? 1.0 : 0.0});
    }
    y.push_back(ones % 2 == 0 ? 1 : -1);
  }
  std::vector<double> errors;
  for (const int order : {2, 3}) {
    Graph g;
    const Model model = make_model(
        g, 6, {.kind = ModelKind::higher_order, .factors = 4, .order = order, .init_stddev = 0.5, .seed = 1});
    const Expr train = Adagrad(0.2).minimize(model.loss);
    Session session(g);
    const std::vector<Feed> feeds{{model.X, Tensor::from(x, {8, 6}).cast(float32).to_csr()},
                                  {model.y, Tensor::from(y, {8, 1}).cast(float32)}};
    for (int i = 0; i < 1000; ++i) session.run(train, feeds);
    errors.push_back(session.run(model.error, feeds).item());
  }
  CHECK(errors[0] > 0.99);
  CHECK(errors[1] < 0.01);
}

TEST_CASE("what the models refuse") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 3});
  const Expr y = g.placeholder("y", {any, 1});
  const auto higher = [&](const HigherOrderFactorizationMachineOptions& options) {
    return refusal<Error>([&] { HigherOrderFactorizationMachine model(X, y, options); });
  };
  const auto aware = [&](const FieldAwareFactorizationMachineOptions& options) {
    return refusal<Error>([&] { FieldAwareFactorizationMachine model(X, y, options); });
  };
  const auto deep = [&](const DeepFactorizationMachineOptions& options) {
    return refusal<Error>([&] { DeepFactorizationMachine model(X, y, options); });
  };
  CHECK(higher({.order = 1}) == "HigherOrderFactorizationMachine: order is 1; 2 to 5 are expected");
  CHECK(higher({.order = 6}) == "HigherOrderFactorizationMachine: order is 6; 2 to 5 are expected");
  CHECK(higher({.factors = 0}) == "HigherOrderFactorizationMachine: factors is 0; 1 or more is expected");
  CHECK(higher({.l2_V = -1}) == "HigherOrderFactorizationMachine: l2_V is -1; a finite number, 0 or more, is expected");
  CHECK(aware({}) == "FieldAwareFactorizationMachine: field_of has 0 entries but X has 3 features");
  CHECK(aware({.field_of = {0, 1, -2}}) ==
        "FieldAwareFactorizationMachine: field_of[2] is -2; a field from 0 is expected, or -1 for none");
  CHECK(aware({.field_of = {-1, -1, -1}}) == "FieldAwareFactorizationMachine: no feature has a field");
  CHECK(aware({.field_of = {0, 1, 0}, .init_stddev = -1}) ==
        "FieldAwareFactorizationMachine: init_stddev is -1; a finite number, 0 or more, is expected");
  CHECK(deep({.field_of = {0, 1}}) == "DeepFactorizationMachine: field_of has 2 entries but X has 3 features");
  CHECK(deep({.field_of = {0, 1, 1}, .hidden = {4, 0}}) ==
        "DeepFactorizationMachine: hidden[1] is 0; 1 or more units are expected");
  CHECK(g.variables().empty());
}

}  // namespace gradus
