// What a run does beside values: choice, what comes after a step, printing and assertions; on the CPU and on an
// emulated device.
#include "emulator/emulated_accelerator.h"
#include "plan_steps.h"
#include "refusal.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace gradus {
namespace {

// What is printed to std::cerr while it lives.
class Printed {
 public:
  Printed() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  Printed(const Printed&) = delete;
  Printed& operator=(const Printed&) = delete;
  ~Printed() { std::cerr.rdbuf(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::vector<Device>& devices() {
  static const std::vector<Device> all = devices_to_try();
  return all;
}

TEST_CASE("cond: of a fed bool a plan computes one side alone") {
  for (const Device& device : devices()) {
    Graph g;
    const Expr x = g.placeholder("x", {any, 2}), training = g.placeholder("training", {}, boolean);
    const Expr y = cond(!training, tanh(x), exp(x)) + cond(training, Tensor({1, 2}), 0);
    Session session(g, device);
    const Tensor one({{0, 0}});
    for (int run = 0; run < 2; ++run) {
      CHECK(session.run(y, {{x, one}, {training, true}}) == Tensor({{2, 3}}));
      CHECK(session.run(y, {{x, one}, {training, false}}) == Tensor({{0, 0}}));
    }
    const std::string trains = session.explain(y, {{x, one}, {training, true}});
    CHECK(!contains(trains, " = tanh("));
    CHECK(contains(trains, " = exp("));
    const std::string predicts = session.explain(y, {{x, one}, {training, false}});
    CHECK(contains(predicts, " = tanh("));
    CHECK(!contains(predicts, " = exp("));

    auto prepared = session.prepare(y, {x, training});
    CHECK(prepared(one, true) == Tensor({{2, 3}}));
    CHECK(prepared(one, false) == Tensor({{0, 0}}));
    CHECK(prepared(one, true) == Tensor({{2, 3}}));
  }
}

TEST_CASE("cond: of what the run computes both sides are there, and gradients go to the one that was taken") {
  Graph g;
  const Expr a = g.variable("a", Tensor({1, 2})), b = g.variable("b", Tensor({5, 6}));
  const Expr y = cond(reduce_sum(a) > 2, square(a), b);
  const std::vector<Expr> d = gradients(y, {a, b});
  Session session(g);
  CHECK(session.run(y) == Tensor({1, 4}));
  CHECK(session.run(d[0]) == Tensor({2, 4}));
  CHECK(session.run(d[1]) == Tensor({0, 0}));
  session.assign(a, Tensor({0, 0}));
  CHECK(session.run(y) == Tensor({5, 6}));
  CHECK(session.run(cond(true, a, 1)) == Tensor({0, 0}));
  const int line = __LINE__ + 1;
  const std::string no_scalar = refusal([&] { cond(a > 0, a, b); });
  CHECK(no_scalar == "cond: pred is greater_1: bool [2] (" + here(line) +
                         "); a bool scalar is expected, and where() selects element by element");
}

TEST_CASE("cond of csr: the pattern is that of the side that was taken, and so is the gradient's") {
  for (const Device& device : devices()) {
    Graph g;
    const int line = __LINE__;
    const Expr X = g.sparse_placeholder("X", {any, 3}), Z = g.sparse_placeholder("Z", {2, any});
    const Expr p = g.placeholder("p", {}, boolean), W = g.variable("W", ones({3, 1}));
    const Tensor x = Tensor({{0, 2, 0}, {0, 0, 3}}).to_csr(), z = Tensor({{5, 0, 6}, {0, 0, 0}}).to_csr();
    const Expr fed = cond(p, X, 2 * Z), computed = cond(reduce_sum(X) > 0 && p, X, 2 * Z);
    CHECK(fed.type() == Type{float32, {2, 3}, Layout::csr});
    Session session(g, device);
    for (const Expr& chosen : {fed, computed}) {
      const Expr y = reduce_sum(square(matmul(chosen, W)));
      const std::vector<Expr> d = gradients(y, {X, Z, W});
      CHECK(d[2].layout() == Layout::rows);
      for (const bool holds : {true, false, true}) {
        const auto [value, dX, dZ, dW] = session.run({chosen, d[0], d[1], d[2]}, {{X, x}, {Z, z}, {p, holds}});
        CHECK(value == (holds ? x : Tensor({{10, 0, 12}, {0, 0, 0}}).to_csr()));
        CHECK(dX.to_dense() == (holds ? Tensor({{0, 4, 0}, {0, 0, 6}}) : zeros({2, 3})));
        CHECK(dX.stored() == 2);
        CHECK(dZ.to_dense() == (holds ? zeros({2, 3}) : Tensor({{88, 0, 88}, {0, 0, 0}})));
        CHECK(dZ.stored() == 2);
        CHECK(dW.to_dense() == (holds ? Tensor({{0}, {8}, {18}}) : Tensor({{440}, {0}, {528}})));
      }
    }
    CHECK(contains(session.explain(computed, {{X, x}, {Z, z}, {p, true}}), " = cond("));
    CHECK(!contains(session.explain(fed, {{X, x}, {Z, z}, {p, true}}), " = cond("));
    CHECK(refusal([&] { cond(p, X, W); }) == "cond: a is csr (X, " + here(line + 1) + ") but b is dense (W, " +
                                                 here(line + 2) +
                                                 "); both must be csr, or neither: to_dense(x) is dense");
  }
}

// A step whose weights are all moved, or some rows of them alone.
struct Trained {
  Graph g;
  Expr ids = g.placeholder("ids", {any}, int64);
  Expr table = g.variable("table", Tensor({{1, 2}, {3, 4}, {5, 6}}));
  Expr w = g.variable("w", Tensor({1, 1}));
  Expr loss = reduce_sum(square(gather(table, ids) * w - 1));
};

TEST_CASE("after a step: the values that it assigns, and what is made of them") {
  for (const Device& device : devices()) {
    for (const bool adam : {false, true}) {
      CAPTURE(adam);
      Trained t;
      Adam by_adam(0.1);
      GradientDescent plain(0.01);
      const Expr train = adam ? by_adam.minimize(t.loss) : plain.minimize(t.loss);
      const Expr average = t.g.variable("average", zeros({3, 2}), {.trainable = false});
      const Expr keep = t.g.assign(average, 0.5 * average + 0.5 * after(train, t.table));
      const Expr later = after(train, t.loss);
      Session session(t.g, device), beside(t.g, device);
      const Tensor some({2, 0, 2}, int64), others({1}, int64);
      Tensor expected = zeros({3, 2});
      for (const Tensor& ids : {some, others, some}) {
        const auto [foreseen, none, before] = session.run({later, keep, t.loss}, {{t.ids, ids}});
        CHECK(before == beside.run(t.loss, {{t.ids, ids}}));
        beside.run(train, {{t.ids, ids}});
        CHECK(allclose(foreseen, beside.run(t.loss, {{t.ids, ids}}), 1e-5));
        CHECK(session.value(t.table) == beside.value(t.table));
        CHECK(session.value(t.w) == beside.value(t.w));
        Session mean(t.g);
        mean.assign(average, expected);
        mean.assign(t.table, beside.value(t.table));
        expected = mean.run(0.5 * average + 0.5 * t.table);
        CHECK(allclose(session.value(average), expected, 1e-6));
      }
    }
  }
}

TEST_CASE("after a step: what is fetched alone runs the step too; what it does not assign stays") {
  Trained t;
  const Expr train = GradientDescent(0.01).minimize(t.loss, {.variables = {t.w}});
  Session session(t.g);
  const Feeds feeds = {{t.ids, Tensor({0}, int64)}};
  CHECK(session.run(after(train, t.table), feeds) == session.value(t.table));
  CHECK(!(session.value(t.w) == Tensor({1, 1})));
  const int line = __LINE__ + 1;
  const Expr y = t.w + 1;
  CHECK(refusal([&] { after(y, t.w); }) == "after: add: float32 [2] (" + here(line) + ") assigns no variable");
}

TEST_CASE("assign_sub takes off") {
  Graph g;
  const Expr w = g.variable("w", Tensor({1, 2}));
  Session session(g);
  CHECK(session.run(assign_sub(w, 0.5)) == Tensor({0.5, 1.5}));
  CHECK(session.value(w) == Tensor({0.5, 1.5}));
}

TEST_CASE("Assert stops a run before anything has changed, and says what was asked for") {
  for (const Device& device : devices()) {
    Graph g;
    const int line = __LINE__;
    const Expr x = g.placeholder("x", {any});
    const Expr count = g.variable("count", zeros({}));
    const Expr positive = Assert(x > 0, {x}, "only positive numbers have a logarithm", 2);
    const Expr y = log(with_dependencies({positive, assign_add(count, 1)}, x));
    Session session(g, device);
    CHECK(session.run(y, {{x, Tensor({1, 1})}}) == Tensor({0, 0}));
    CHECK(session.value(count).item() == 1);
    for (int run = 0; run < 2; ++run)
      CHECK(refusal<ValueError>([&] {
              session.run(y, {{x, Tensor({1, 0, 3})}});
            }) == "Assert: (greater, " + here(line + 3) +
                      ") does not hold: only positive numbers have a logarithm; (x, " + here(line + 1) +
                      ") is [1 0...] (" + here(line + 3) + ")");
    CHECK(session.value(count).item() == 1);
    CHECK(session.run(g.group({positive, assign_add(count, 2)}), {{x, ones({3})}}).size() == 0);
    CHECK(session.value(count).item() == 3);
    CHECK(session.run(gradients(y, {x})[0], {{x, Tensor({2})}}) == Tensor({0.5}));
  }
  Graph g;
  const int line = __LINE__ + 1;
  const Expr x = g.placeholder("x", {2});
  CHECK(refusal([&] { Assert(x); }) ==
        "Assert: condition is float32 (x, " + here(line) + "); it must be bool, which comparisons give");
}

TEST_CASE("Print passes its operand on, and shows each run") {
  for (const Device& device : devices()) {
    Graph g;
    const Expr x = g.placeholder("x", {any}), n = size_of(x);
    const Expr y = 2 * Print(x, {x, n}, {.message = "x and its size: ", .first_n = 2, .summarize = 2});
    Session session(g, device);
    const Printed printed;
    for (int run = 0; run < 3; ++run) CHECK(session.run(y, {{x, Tensor({1, 2.5, 3})}}) == Tensor({2, 5, 6}));
    CHECK(printed.text() == "x and its size: [1 2.5...][3]\nx and its size: [1 2.5...][3]\n");
    CHECK(session.run(gradients(y, {x})[0], {{x, Tensor({1, 2})}}) == Tensor({2, 2}));
  }
}

TEST_CASE("Print of csr and of gathered rows") {
  for (const Device& device : devices()) {
    Graph g;
    const Expr X = g.sparse_placeholder("X", {any, 3});
    const Expr W = g.variable("W", ones({3, 1}));
    const Expr y = matmul(Print(X, {X}), W);
    const Expr dW = Print(gradients(y, {W})[0], {y});
    CHECK(dW.layout() == Layout::rows);
    Session session(g, device);
    const Printed printed;
    const Tensor x = Tensor({{0, 2, 0}, {0, 0, 3}}).to_csr();
    const auto [value, rows] = session.run({y, dW}, {{X, x}});
    CHECK(value == Tensor({{2}, {3}}));
    CHECK(rows.to_dense() == Tensor({{0}, {2}, {3}}));
    CHECK(contains(printed.text(), "[2 3]\n"));
  }
}

}  // namespace
}  // namespace gradus
