// What optimizers do beyond their formulas (which optimizer_golden_test.cpp holds against TensorFlow): rows against
// dense, slots, step counts, several train ops, checkpoints, rates that are expressions.
#include "plan_steps.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace gradus {
namespace {

struct OptimizerKind {
  std::string name;
  std::function<std::unique_ptr<Optimizer>(Operand rate)> make;
  std::vector<std::string> slots;
};

template <class T, class... Options>
std::function<std::unique_ptr<Optimizer>(Operand)> maker(Options... options) {
  return [=](Operand rate) { return std::make_unique<T>(std::move(rate), options...); };
}

const std::vector<OptimizerKind> kinds = {
    {"GradientDescent", maker<GradientDescent>(), {}},
    {"Momentum", maker<Momentum>(), {"momentum"}},
    {"Momentum", maker<Momentum>(MomentumOptions{.use_nesterov = true}), {"momentum"}},
    {"Adagrad", maker<Adagrad>(), {"accumulator"}},
    {"Adadelta", maker<Adadelta>(), {"accum", "accum_update"}},
    {"RMSProp", maker<RMSProp>(), {"rms"}},
    {"RMSProp", maker<RMSProp>(RMSPropOptions{.momentum = 0.5, .centered = true}), {"rms", "mg", "momentum"}},
    {"Adam", maker<Adam>(), {"m", "v"}},
    {"AdamW", maker<AdamW>(AdamWOptions{.weight_decay = 0.1}), {"m", "v"}},
    {"Ftrl", maker<Ftrl>(FtrlOptions{.l1 = 0.01, .l2 = 0.1}), {"accum", "linear"}},
};

const std::vector<std::vector<std::int32_t>> batches = {{0, 2, 2}, {3, 0, 1}, {1, 1, 1}, {2, 0, 3}};

/// Four steps on rows of a table [5, 2] of which row 4 is never touched; the table and the slots after them.
/// Gradients as they come, with layout rows, or written out.
std::vector<Tensor> after_steps(const OptimizerKind& kind, const Tensor& start, bool dense, bool all_rows) {
  Graph g;
  const Expr table = g.variable("table", start);
  const Expr batch = g.placeholder("batch", {any}, int32);
  const Expr loss = reduce_sum(square(gather(table, batch) - Tensor({0.5, -2})));
  const auto optimizer = kind.make(0.1);
  std::vector<GradientOf> pairs = optimizer->compute_gradients(loss);
  CHECK(pairs[0].gradient.layout() == Layout::rows);
  if (dense) pairs[0].gradient = to_dense(pairs[0].gradient);
  const Expr train = optimizer->apply_gradients(pairs);

  Session session(g);
  for (std::vector<std::int32_t> rows : batches) {
    if (all_rows) rows.insert(rows.end(), {0, 1, 2, 3, 4});
    session.run(train, {{batch, Tensor::from(rows)}});
  }
  std::vector<Tensor> values = {session.value(table)};
  for (const std::string& slot : kind.slots) values.push_back(session.value(optimizer->slot(table, slot)));
  return values;
}

const Tensor some_table({{1, -1}, {0.625, 2}, {-3, 0.25}, {1.5, 0.125}, {-0.75, 3}});

/// A model with a vector and a matrix to train.
struct Model {
  Graph g;
  Expr w = g.variable("w", Tensor({1, -2, 3}));
  Expr v = g.variable("v", Tensor({{0.5}, {1}, {-1}}));
  Expr x = g.placeholder("x", {any, 3});
  Expr loss = reduce_mean(square(reduce_sum(w * x, 1, keep_dims) + matmul(x, v) - 1));
  Tensor data = Tensor({{1, 0.5, -1}, {0.25, 2, 1}});
};

TEST_CASE("rows are updated as dense gradients are where all are touched") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    CHECK(after_steps(kind, some_table, false, true) == after_steps(kind, some_table, true, true));
  }
}

TEST_CASE("some rows: GradientDescent, Adagrad and Ftrl from zeros do what their dense formulas do") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    if (kind.name == "GradientDescent" || kind.name == "Adagrad")
      CHECK(after_steps(kind, some_table, false, false) == after_steps(kind, some_table, true, false));
    if (kind.name == "Ftrl")
      CHECK(after_steps(kind, zeros({5, 2}), false, false) == after_steps(kind, zeros({5, 2}), true, false));
  }
}

TEST_CASE("untouched rows and their slots stay as they are, to the bit") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    const std::vector<Tensor> after = after_steps(kind, some_table, false, false);
    CHECK(after[0].at(4, 0) == -0.75);
    CHECK(after[0].at(4, 1) == 3);
    for (int row = 0; row < 4; ++row) CHECK(after[0].at(row, 0) != some_table.at(row, 0));
    for (std::size_t slot = 1; slot < after.size(); ++slot) {
      const std::string& name = kind.slots[slot - 1];
      const bool adds_up = name == "accumulator" || (kind.name == "Ftrl" && name == "accum");
      const auto initial = name == "rms" ? 1.0F : adds_up ? 0.1F : 0.0F;
      CHECK(after[slot].at(4, 0) == initial);
    }
  }
}

TEST_CASE("a dense step updates weights and slots in place") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    Model m;
    const Expr train = kind.make(0.1)->minimize(m.loss);
    Session session(m.g);
    const PlanSteps plan = session.steps(train, {{m.x, m.data}});
    // The step counter is one integer: steps on integers may throw, so they write no variable.
    for (const Expr& variable : m.g.variables()) {
      const PlanStep* const step = writer_of(plan, variable.name());
      REQUIRE_MESSAGE(step != nullptr, variable.name() << "\n" << to_string(plan));
      CHECK_MESSAGE((step->form == StepForm::copy) == (variable.dtype() == int64), variable.name() << "\n"
                                                                                                   << to_string(plan));
      CHECK(step->place == StepPlace::variable);
    }
  }
}

TEST_CASE("slots are variables with names, made once for an optimizer and a variable") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    Model m;
    const auto optimizer = kind.make(0.1);
    CHECK(optimizer->name() == kind.name);
    if (!kind.slots.empty()) CHECK_FALSE(optimizer->slot(m.w, kind.slots[0]).valid());
    optimizer->minimize(m.loss);
    const std::size_t variables = m.g.variables().size();
    const bool counts = kind.name == "Adam" || kind.name == "AdamW";
    CHECK(variables == 2 + 2 * kind.slots.size() + (counts ? 1 : 0));
    for (const std::string& name : kind.slots) {
      const Expr slot = optimizer->slot(m.w, name);
      REQUIRE(slot.valid());
      CHECK(slot.name() == fmt::format("w/{}/{}", kind.name, name));
      CHECK(same_node(m.g.find(slot.name()), slot));
      CHECK(slot.type() == m.w.type());
    }
    CHECK(std::ranges::equal(m.g.trainable_variables(), std::vector{m.w, m.v},
                             [](auto& a, auto& b) { return same_node(a, b); }));
    CHECK_FALSE(optimizer->slot(m.w, "nonsense").valid());
    CHECK_FALSE(optimizer->slot(m.x, "m").valid());

    optimizer->minimize(2 * m.loss);
    CHECK(m.g.variables().size() == variables);
  }
}

TEST_CASE("two optimizers of a class on one variable have slots of their own") {
  Model m;
  Adam a(0.1), b(0.2);
  a.minimize(m.loss);
  b.minimize(m.loss);
  CHECK(a.slot(m.w, "m").name() == "w/Adam/m");
  CHECK(b.slot(m.w, "m").name() == "w/Adam/m_1");
  CHECK(a.slot({}, "step").name() == "Adam/step");
  CHECK(b.slot({}, "step").name() == "Adam/step_1");
}

TEST_CASE("an optimizer may outlive its graph and go on to one at the same address") {
  Adagrad optimizer(0.1);
  std::optional<Model> m;
  std::vector<double> losses;
  for (int i = 0; i < 3; ++i) {
    m.emplace();
    if (i == 2) m->g.variable("another", zeros({7}), {.trainable = false});
    const Expr train = optimizer.minimize(m->loss);
    REQUIRE(optimizer.slot(m->w, "accumulator").valid());
    CHECK(optimizer.slot(m->w, "accumulator").name() == "w/Adagrad/accumulator");
    Session session(m->g);
    session.run(train, {{m->x, m->data}});
    losses.push_back(session.run(m->loss, {{m->x, m->data}}).item());
  }
  CHECK(losses[0] == losses[1]);
  CHECK(losses[0] == losses[2]);
}

TEST_CASE("Adam counts its steps exactly, and in the same run for all variables") {
  Model m;
  Adam adam(0.01);
  const Expr train = adam.minimize(m.loss);
  Session session(m.g);
  const Expr count = adam.slot({}, "step");
  REQUIRE(count.valid());
  CHECK(to_string(count.type()) == "int64 []");
  for (int i = 0; i < 3; ++i) session.run(train, {{m.x, m.data}});
  CHECK(session.value(count).item() == 3);
  session.assign(count, Tensor(20'000'000, int64));  // float32 ends at 2^24
  session.run(train, {{m.x, m.data}});
  CHECK(session.value(count).item() == 20'000'001);
  CHECK(std::isfinite(session.run(m.loss, {{m.x, m.data}}).item()));
}

TEST_CASE("minimize counts steps in the variable it is given, and a rate may follow it") {
  Model m;
  const Expr step = m.g.variable("step", zeros({}, int64), {.trainable = false});
  const Expr rate = piecewise_constant(step, {0, 1}, {0.5, 0.25, 0.125});  // float64, the weights are float32
  const Expr train = GradientDescent(rate).minimize(m.loss, {.variables = {m.w}, .step = step});
  const Expr slope = gradients(m.loss, {m.w})[0];
  Session session(m.g);
  const Tensor v = session.value(m.v);
  for (const double expected : {0.5, 0.25, 0.125, 0.125}) {
    const Tensor before = session.value(m.w), dw = session.run(slope, {{m.x, m.data}});
    session.run(train, {{m.x, m.data}});
    for (int i = 0; i < 3; ++i)
      CHECK(session.value(m.w).at(i) == doctest::Approx(before.at(i) - expected * dw.at(i)).epsilon(1e-6));
  }
  CHECK(session.value(step).item() == 4);
  CHECK(session.value(m.v) == v);  // was not named
}

TEST_CASE("a rate may be fed, of either dtype, or a tensor") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    Tensor first;
    for (const int how : {0, 1, 2, 3}) {
      Model m;
      const DType dtype = how == 2 ? float64 : float32;
      const Expr fed = m.g.placeholder("rate", {}, dtype);
      const Operand rates[] = {0.25, fed, fed, Tensor(0.25, float64)};
      const Expr train = kind.make(rates[how])->minimize(m.loss);
      Session session(m.g);
      session.run(train, {{m.x, m.data}, {fed, Tensor(0.25, dtype)}});
      if (how == 0) first = session.value(m.w);
      CHECK(allclose(session.value(m.w), first, 1e-6));
    }
  }
}

TEST_CASE("weights of both dtypes under one optimizer") {
  Graph g;
  const Expr a = g.variable("a", Tensor({1, 2})), b = g.variable("b", Tensor({1, 2}, float64));
  const Expr loss = reduce_sum(square(cast(a, float64))) + reduce_sum(square(b));
  const Expr step = g.variable("step", zeros({}, int64), {.trainable = false});
  const Expr train = Adam(exponential_decay(0.1, step, 2, 0.5)).minimize(loss, {.step = step});
  Session session(g);
  for (int i = 0; i < 5; ++i) session.run(train);
  CHECK(allclose(session.value(a).cast(float64), session.value(b), 1e-6));
}

TEST_CASE("gradients may be changed between the two halves") {
  const auto moved = [](double rate, const std::function<Expr(const Expr& g, const Expr& w)>& change) {
    Model m;
    GradientDescent descent(rate);
    std::vector<GradientOf> pairs = descent.compute_gradients(m.loss, {m.v, m.w});
    CHECK(same_node(pairs[0].variable, m.v));
    CHECK(same_node(pairs[1].variable, m.w));
    for (GradientOf& pair : pairs) pair.gradient = change(pair.gradient, pair.variable);
    const Expr train = descent.apply_gradients(pairs);
    Session session(m.g);
    session.run(train, {{m.x, m.data}});
    return session.value(m.w);
  };
  const auto same = [](const Expr& g, const Expr&) { return g; };
  CHECK(moved(0.25, [](const Expr& g, const Expr&) { return 0.5 * g; }) == moved(0.125, same));
  CHECK(moved(1, [](const Expr&, const Expr& w) { return w; }) == zeros({3}));  // w - w
}

TEST_CASE("a decay of the rows touched: a gradient of layout part") {
  Graph g;
  const Expr table = g.variable("table", some_table);
  const Expr loss = reduce_sum(0 * gather(table, g.constant(Tensor({1, 3}, int32))));
  GradientDescent descent(1);
  std::vector<GradientOf> pairs = descent.compute_gradients(loss);
  pairs[0].gradient = pairs[0].gradient + 0.5 * part_of(table, pairs[0].gradient);
  const Expr train = descent.apply_gradients(pairs);
  Session session(g);
  session.run(train);
  CHECK(session.value(table) == Tensor({{1, -1}, {0.3125, 1}, {-3, 0.25}, {0.75, 0.0625}, {-0.75, 3}}));
}

TEST_CASE("several train ops in one run do what they do alone") {
  const auto trained = [](bool together, bool one_optimizer) {
    Graph g;
    const Expr a = g.variable("a", Tensor({1, 2})), b = g.variable("b", Tensor({3, 4}));
    const Expr loss_a = reduce_sum(square(a - 1)), loss_b = reduce_sum(square(b * a));
    Adam first(0.1), second(0.1);
    const Expr train_a = first.minimize(loss_a, {.variables = {a}});
    const Expr train_b = (one_optimizer ? first : second).minimize(loss_b, {.variables = {b}});
    Session session(g);
    // b's gradient reads the old a, so alone b must go first.
    for (int i = 0; i < 3; ++i)
      if (together) {
        session.run({train_a, train_b});
      } else {
        session.run(train_b);
        session.run(train_a);
      }
    return std::vector{session.value(a), session.value(b)};
  };
  CHECK(trained(true, false) == trained(false, false));
  CHECK(trained(true, true) == trained(true, false));  // one count for both, and one run is one step
}

TEST_CASE("training goes on from a checkpoint as if it had not stopped") {
  const std::string path = (std::filesystem::temp_directory_path() / "gradus_optim_test.safetensors").string();
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    const auto build = [&](Model& m) {
      const Expr step = m.g.variable("step", zeros({}, int64), {.trainable = false});
      return kind.make(exponential_decay(0.1, step, 3, 0.5))->minimize(m.loss, {.step = step});
    };
    Model m;
    const Expr train = build(m);
    Session session(m.g);
    for (int i = 0; i < 3; ++i) session.run(train, {{m.x, m.data}});
    session.save(path);
    for (int i = 0; i < 3; ++i) session.run(train, {{m.x, m.data}});

    Model again;
    const Expr train_again = build(again);
    Session later(again.g);
    later.restore(path);
    for (int i = 0; i < 3; ++i) later.run(train_again, {{again.x, again.data}});
    CHECK(later.value(again.w) == session.value(m.w));
    CHECK(later.value(again.v) == session.value(m.v));
  }
  std::filesystem::remove(path);
}

TEST_CASE("Ftrl: shrinkage and other powers") {
  // One step from w = 2 with gradient g, by hand.
  const auto step = [](const FtrlOptions& o) {
    Graph g;
    const Expr w = g.variable("w", Tensor(2, float64));
    const Expr train = Ftrl(0.5, o).minimize(3 * w);
    Session session(g);
    session.run(train);
    return session.value(w).item();
  };
  const double n = 0.1 + 9;
  const double z = 3 - (std::sqrt(n) - std::sqrt(0.1)) / 0.5 * 2;
  CHECK(step({}) == doctest::Approx(-z / (std::sqrt(n) / 0.5)));
  CHECK(step({.l2_shrinkage = 0.25}) == doctest::Approx(-(z + 2 * 0.25 * 2) / (std::sqrt(n) / 0.5)));
  CHECK(step({.l1 = 20}) == 0);
  CHECK(step({.learning_rate_power = 0, .l2 = 1}) == doctest::Approx(-3.0 / (1 / 0.5 + 2)));
  const double p = std::pow(n, 0.25);
  CHECK(step({.learning_rate_power = -0.25}) ==
        doctest::Approx(-(3 - (p - std::pow(0.1, 0.25)) / 0.5 * 2) / (p / 0.5)));
}

TEST_CASE("empty variables and scalars are trained too") {
  for (const OptimizerKind& kind : kinds) {
    INFO(kind.name);
    Graph g;
    const Expr none = g.variable("none", zeros({0, 3})), one = g.variable("one", Tensor(3.0));
    const Expr train = kind.make(0.1)->minimize(reduce_sum(none) + square(one));
    Session session(g);
    session.run(train);
    CHECK(session.value(one).item() < 3);
    CHECK(session.value(none).size() == 0);
  }
}

}  // namespace
}  // namespace gradus
