// Sums of rows that are looked up by indices [n, f] run as products of the indices' indicator matrix, and what a step
// adds back to the rows as its transpose: to what the graph says, whatever the indices are.
#include "emulator/emulated_accelerator.h"
#include "plan_steps.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace gradus {
namespace {

constexpr std::int64_t table_rows = 300, fields = 5;

// In no order, and some twice in a row.
Tensor some_indices(std::int64_t rows, DType dtype) {
  std::vector<std::int64_t> index;
  for (std::int64_t i = 0; i < rows * fields; ++i) index.push_back((i * 37 + i / 3 * 101) % table_rows);
  for (std::int64_t r = 0; r < rows; r += 2)
    index[static_cast<std::size_t>(r * fields + 3)] = index[static_cast<std::size_t>(r * fields)];
  return Tensor::from(index, Shape{rows, fields}).cast(dtype);
}

int count(const PlanSteps& plan, std::string_view op) {
  return static_cast<int>(
      std::count_if(plan.list.begin(), plan.list.end(), [&](const PlanStep& step) { return step.op == op; }));
}

struct LookedUp {
  explicit LookedUp(DType dtype = float32, DType index = int32) {
    i = g.placeholder("i", {any, fields}, index);
    y = g.placeholder("y", {any, 1}, dtype);
    W = g.variable("W", random_normal({table_rows}, {.stddev = 0.1, .seed = 1, .dtype = dtype}));
    V = g.variable("V", random_normal({table_rows, 8}, {.stddev = 0.1, .seed = 2, .dtype = dtype}));
    v = gather(V, i);
  }
  Feeds feeds(std::int64_t rows) const {
    return {{i, some_indices(rows, i.dtype())}, {y, random_normal({rows, 1}, {.seed = 3, .dtype = y.dtype()})}};
  }
  Graph g;
  Expr i, y, W, V, v;
};

Expr machine(const LookedUp& m) {
  const Expr sums = reduce_sum(m.v, 1), squares = reduce_sum(square(m.v), 1);
  const Expr y_hat =
      reduce_sum(gather(m.W, m.i), 1, keep_dims) + 0.5 * reduce_sum(square(sums) - squares, 1, keep_dims);
  return reduce_mean(square(m.y - y_hat));
}

void check_training(LookedUp& m, const Expr& loss, const Device& device, double tolerance, bool sums_alone) {
  const Expr train = Adagrad(0.1).minimize(loss);
  const SessionOptions none{.without = {"simplify", "reassociate", "tiles"}};
  Session planned(m.g, device), plain(m.g, Device::cpu(), none);
  for (const std::int64_t rows : {40, 1, 0, 23}) {
    CAPTURE(rows);
    const Feeds feeds = m.feeds(rows);
    if (rows > 1 && sums_alone) {
      const PlanSteps plan = planned.steps(train, feeds);
      CHECK(count(plan, "rows_together") == 1);
      CHECK(count(plan, "gather") == 0);
      CHECK(count(plan, "scatter_add") == 0);
    }
    for (int step = 0; step < 2 && rows > 0; ++step) {
      planned.run(train, feeds);
      plain.run(train, feeds);
    }
    const Expr both[] = {loss, reduce_sum(m.v, 1)};
    const auto found = planned.run(both, feeds), expected = plain.run(both, feeds);
    if (rows > 0) CHECK(allclose(found[0], expected[0], tolerance, tolerance));
    CHECK(allclose(found[1], expected[1], tolerance, tolerance));
  }
  for (const Expr& variable : m.g.variables()) {
    CAPTURE(variable.name());
    CHECK(allclose(planned.value(variable), plain.value(variable), tolerance, tolerance));
  }
}

TEST_CASE("sums of rows that are looked up are products, and their gradients too") {
  for (const DType dtype : {float32, float64})
    for (const DType index : {int32, int64}) {
      LookedUp m(dtype, index);
      check_training(m, machine(m), Device::cpu(), dtype == float32 ? 1e-4 : 1e-11, true);
    }
}

TEST_CASE("sums of rows that are looked up, on a device") {
  LookedUp m;
  check_training(m, machine(m), emulated_device(), 1e-4, false);
}

TEST_CASE("rows that are looked up for more than a sum of them") {
  LookedUp m;
  const Expr pairs = reduce_sum(matmul(m.v, m.v, {.transpose_b = true}), {1, 2});  // [n]
  const Expr means = reduce_mean(tanh(m.v), 1);                                    // [n, 8]
  const Expr y_hat =
      reduce_sum(means, 1, keep_dims) + expand_dims(pairs, 1) + reduce_sum(gather(m.W, m.i), 1, keep_dims);
  check_training(m, reduce_mean(square(m.y - y_hat)), Device::cpu(), 1e-4, false);
}

TEST_CASE("of a table that is computed a function is worked out for the rows that are looked up alone") {
  LookedUp m;
  const Expr table = matmul(m.V, square(m.g.variable("A", random_normal({8, 8}, {.seed = 5}))));  // [p, 8]
  const Expr sums = reduce_sum(exp(gather(table, m.i)), 1);
  Session session(m.g);
  const Feeds feeds = m.feeds(4);
  CHECK(count(session.steps(sums, feeds), "rows_together") == 0);
  CHECK(count(session.steps(sums, m.feeds(100)), "rows_together") == 1);
  Session plain(m.g, Device::cpu(), {.without = {"reassociate"}});
  CHECK(allclose(session.run(sums, m.feeds(100)), plain.run(sums, m.feeds(100)), 1e-5, 1e-6));
}

TEST_CASE("an index out of range is told as by a gather") {
  LookedUp m;
  Session session(m.g);
  std::vector<std::int32_t> index(2 * fields, 1);
  index[7] = table_rows;
  const Feeds feeds{{m.i, Tensor::from(index, Shape{2, fields})}};
  CHECK_THROWS_WITH_AS(session.run(reduce_sum(m.v, 1), feeds),
                       doctest::Contains("gather: index 300 in (i, gathered_sums_test.cpp:"), ValueError);
}

}  // namespace
}  // namespace gradus
