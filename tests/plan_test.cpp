// Plans: what is computed, and where it lies. Sizes are such that every value fills whole lines of
// 64 bytes, so that the least memory a graph can do with is known by hand.
#include "plan_steps.h"

#include <gradus/core/run/cpu_plan.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace gradus {
namespace {

std::int64_t arena_bytes(const std::vector<Expr>& fetches, const std::vector<FedType>& feeds) {
  Variables variables;
  Workers workers(1);
  WorkingMemory working;
  return CpuPlan(make_program(make_draft(fetches, feeds)), variables, workers, working).arena_bytes();
}

FedType fed(const Expr& placeholder) { return {placeholder, placeholder.type()}; }

// --- memory ----------------------------------------------------------------------------------------------

TEST_CASE("a chain of elementwise steps needs the memory of one") {
  Graph g;
  const Expr x = g.placeholder("x", {16});
  Expr y = x;
  for (int i = 0; i < 10; ++i) y = sin(y);
  CHECK(arena_bytes({y}, {fed(x)}) == 64);
  CHECK(arena_bytes({y + sin(x)}, {fed(x)}) == 128);
  CHECK(arena_bytes({y, y.input(0)}, {fed(x)}) == 128);  // both are fetched
}

TEST_CASE("a chain of products, which cannot write over what they read, needs two") {
  Graph g;
  const Expr x = g.placeholder("x", {16, 16});
  Expr y = x;
  for (int i = 0; i < 10; ++i) y = matmul(y, x);
  CHECK(arena_bytes({y}, {fed(x)}) == 2 * 16 * 16 * 4);
}

TEST_CASE("a value that is still needed is not written over") {
  Graph g;
  const Expr x = g.placeholder("x", {16});
  const Expr a = exp(x), b = sin(a), c = cos(a), d = b * c * a;
  CHECK(arena_bytes({d}, {fed(x)}) == 3 * 64);
  Session session(g);
  const Tensor value = full({16}, 0.5);
  CHECK(allclose(session.run(d, {{x, value}}), full({16}, 0.9969653 * -0.07784655 * 1.6487213), 1e-4));
}

TEST_CASE("memory of different sizes is merged when it is free") {
  Graph g;
  const Expr x = g.placeholder("x", {16});
  const Expr both = concat({exp(x), sin(x)}, 0);
  CHECK(arena_bytes({both}, {fed(x)}) == 2 * 64 + 128);
  // The two of 64 bytes that both was made of are room for the next one of 128.
  CHECK(arena_bytes({concat({slice(both, {16}, {16}), slice(both, {0}, {16})}, 0)}, {fed(x)}) == 2 * 64 + 128);
  const Expr large = matmul(reshape(x, {16, 1}), reshape(x, {1, 16}));
  const Expr sum = reduce_sum(large);
  CHECK(arena_bytes({sum + reduce_sum(exp(large))}, {fed(x)}) == 1024 + 2 * 64);
}

TEST_CASE("views, constants, variables and placeholders take no memory") {
  Graph g;
  const Expr x = g.placeholder("x", {2, 8});
  const Expr w = g.variable("w", ones({16}));
  CHECK(arena_bytes({reshape(x, {16}), expand_dims(w, 0), g.constant(Tensor({1}))}, {fed(x)}) == 0);
  CHECK(arena_bytes({reshape(exp(reshape(x, {16})), {4, 4})}, {fed(x)}) == 64);
}

TEST_CASE("an update in place takes no memory of its own") {
  Graph g;
  const Expr w = g.variable("w", ones({16}));
  CHECK(arena_bytes({g.assign(w, 2 * w)}, {}) == 0);
  CHECK(arena_bytes({g.assign(w, 2 * w), w}, {}) == 64);  // the old value is wanted too
}

// --- what is computed ------------------------------------------------------------------------------------

TEST_CASE("only what the fetches need is computed") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr index = g.placeholder("index", {1}, int32);
  const Expr y = 2 * x;
  const Expr fails = gather(x, index);
  const Expr w = g.variable("w", zeros({1}));
  const Expr set = g.assign(w, fails);
  Session session(g);
  CHECK(session.run(y, {{x, Tensor({1, 2})}, {index, Tensor({9}, int32)}}) == Tensor({2, 4}));
  CHECK(session.run(shape_of(set), {{x, Tensor({1, 2})}, {index, Tensor({9}, int32)}}) == Tensor({1}, int64));
  CHECK(session.value(w).item() == 0);
  CHECK(count_computed(session.steps(y)) == 1);
  CHECK(count_computed(session.steps(exp(y))) == 2);
  CHECK(count_computed(session.steps(shape_of(exp(y)))) == 0);  // a constant
  CHECK(count_computed(session.steps(x)) == 0);
}

TEST_CASE("a value that several fetches need is computed once") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr y = exp(x);
  Session session(g);
  const std::vector<Expr> fetches{sin(y), cos(y), y, y};
  CHECK(count_computed(session.steps(fetches)) == 3);
}

TEST_CASE("a step of an optimizer updates its variables in place") {
  Graph g;
  const Expr x = g.placeholder("x", {8, 4});
  const Expr w = g.variable("w", ones({4, 3}));
  const Expr b = g.variable("b", zeros({3}));
  const Expr loss = reduce_mean(square(matmul(x, w) + b));
  const Expr train = Adagrad(0.1).minimize(loss);
  Session session(g);
  const PlanSteps plan = session.steps(train);
  for (const Expr& variable : g.variables()) {
    CAPTURE(variable.name());
    CHECK(written(plan, variable.name()) == StepPlace::variable);
  }
  for (const PlanStep& step : plan.list) CHECK(step.form != StepForm::copy);
}

}  // namespace
}  // namespace gradus
