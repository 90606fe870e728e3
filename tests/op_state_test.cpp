// Ops that no golden value fits: random ones, whose draws are checked for range, moments and for being drawn anew; and
// those of variables.
#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace gradus;

namespace {

double mean_of(const Tensor& tensor) {
  double sum = 0;
  for (double x : tensor) sum += x;
  return sum / static_cast<double>(tensor.size());
}

double deviation_of(const Tensor& tensor) {
  const double mean = mean_of(tensor);
  double sum = 0;
  for (double x : tensor) sum += (x - mean) * (x - mean);
  return std::sqrt(sum / static_cast<double>(tensor.size()));
}

}  // namespace

TEST_CASE("dropout keeps an element with probability 1 - rate and scales it by 1 / (1 - rate)") {
  for (DType dtype : {float32, float64}) {
    Graph g;
    const Expr x = g.placeholder("x", {100, 100}, dtype);
    const Expr y = dropout(x, 0.25, 7);
    CHECK(y.type() == x.type());
    Session session(g);
    const Tensor fed = full({100, 100}, 3, dtype);
    const Tensor first = session.run(y, {{x, fed}}), second = session.run(y, {{x, fed}});
    int kept = 0;
    for (double value : first) {
      kept += value != 0;
      CHECK_MESSAGE((value == 0 || value == doctest::Approx(4)), value);
    }
    // Five standard deviations of a binomial of 10000 and 0.75.
    CHECK(std::abs(kept - 7500) < 5 * std::sqrt(10000 * 0.75 * 0.25));
    CHECK(!(first == second));

    Session again(g);
    CHECK(again.run(y, {{x, fed}}) == first);
  }
}

TEST_CASE("the gradient of dropout flows through what was kept in the same run") {
  Graph g;
  const Expr x = g.placeholder("x", {any}, float64);
  const Expr y = dropout(x, 0.5, 3);
  const Expr dx = gradients(y, {x})[0];
  Session session(g);
  const Tensor fed = ones({64}, float64);
  for (int run = 0; run < 3; ++run) {
    const auto [value, derivative] = session.run({y, dx}, {{x, fed}});
    CHECK(value == derivative);
  }
}

TEST_CASE("dropout of rate 0 keeps everything; of empty, nothing") {
  Graph g;
  const Expr x = g.placeholder("x", {any});
  const Expr y = dropout(x, 0.0);
  Session session(g);
  CHECK(session.run(y, {{x, Tensor({1, 2, 3})}}) == Tensor({1, 2, 3}));
  CHECK(session.run(dropout(x, 0.5), {{x, zeros({0})}}) == zeros({0}));
}

TEST_CASE("random nodes have the moments asked for and draw anew each run") {
  Graph g;
  const Shape shape = {200, 50};
  const double tolerance = 5 / std::sqrt(10000.0);
  for (DType dtype : {float32, float64}) {
    const Expr normal = random_normal(g, shape, {.mean = 2, .stddev = 0.5, .seed = 5, .dtype = dtype});
    const Expr truncated = truncated_normal(g, shape, {.mean = 2, .stddev = 0.5, .seed = 5, .dtype = dtype});
    const Expr uniform = random_uniform(g, shape, {.low = -1, .high = 3, .seed = 5, .dtype = dtype});
    CHECK(normal.type() == Type{dtype, shape, Layout::dense});
    CHECK(uniform.type() == Type{dtype, shape, Layout::dense});
    Session session(g);
    const auto [a, t, u] = session.run({normal, truncated, uniform});
    CHECK(std::abs(mean_of(a) - 2) < 0.5 * tolerance);
    CHECK(std::abs(deviation_of(a) - 0.5) < 0.5 * tolerance);
    CHECK(std::abs(mean_of(u) - 1) < 4 / std::sqrt(12.0) * tolerance);
    CHECK(std::abs(deviation_of(u) - 4 / std::sqrt(12.0)) < 4 / std::sqrt(12.0) * tolerance);
    for (double value : u) CHECK_MESSAGE((value >= -1 && value < 3), value);
    CHECK(t.type() == Type{dtype, shape, Layout::dense});
    CHECK(std::abs(mean_of(t) - 2) < 0.5 * tolerance);
    CHECK(std::abs(deviation_of(t) - 0.5 * 0.8796256610342398) < 0.5 * tolerance);
    for (double value : t) CHECK_MESSAGE((value > 1 && value < 3), value);
    CHECK(!(session.run(normal) == a));
    CHECK(!(session.run(uniform) == u));
    Session again(g);
    CHECK(again.run(normal) == a);
  }
}

TEST_CASE("two random nodes of one seed draw different numbers") {
  Graph g;
  const Expr a = random_normal(g, {100}), b = random_normal(g, {100});
  Session session(g);
  const auto [first, second] = session.run({a, b});
  CHECK(!(first == second));
}

TEST_CASE("random_uniform_like has the shape and dtype of its operand, known or not") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 3}, float64);
  const Expr u = random_uniform_like(x, 9);
  CHECK(u.type() == x.type());
  Session session(g);
  const Tensor drawn = session.run(u, {{x, zeros({40, 3}, float64)}});
  CHECK(drawn.type() == Type{float64, {40, 3}, Layout::dense});
  for (double value : drawn) CHECK_MESSAGE((value >= 0 && value < 1), value);
  CHECK(std::abs(mean_of(drawn) - 0.5) < 5 / std::sqrt(12.0 * 120));
  CHECK(session.run(u, {{x, zeros({0, 3}, float64)}}).shape() == Shape{0, 3});
}

TEST_CASE("no gradient flows into random nodes") {
  Graph g;
  const Expr x = g.placeholder("x", {3}, float64);
  const Expr y = x * random_uniform_like(x);
  Session session(g);
  const auto [value, dx] = session.run({y, gradients(y, {x})[0]}, {{x, ones({3}, float64)}});
  CHECK(value == dx);
}

TEST_CASE("assign_add evaluates to the new value, which later runs read") {
  Graph g;
  const Expr w = g.variable("w", Tensor({1, 2}));
  const Expr step = assign_add(w, 0.5);
  Session session(g);
  const auto [added, read] = session.run({step, w});
  CHECK(added == Tensor({1.5, 2.5}));
  CHECK(read == Tensor({1, 2}));
  CHECK(session.value(w) == Tensor({1.5, 2.5}));
  session.run(step);
  CHECK(session.run(w) == Tensor({2, 3}));
}

TEST_CASE("part_of reads the rows of a table that a rows value holds") {
  Graph g;
  const Expr table = g.variable("table", Tensor({{1, 2}, {3, 4}, {5, 6}, {7, 8}}));
  const Expr indices = g.placeholder("indices", {any}, int64);
  const Expr rows = gradients(reduce_sum(gather(table, indices)), {table})[0];
  CHECK(rows.layout() == Layout::rows);
  const Expr part = part_of(table, rows);
  CHECK(part.type() == Type{float32, {4, 2}, Layout::part});
  Session session(g);
  const Tensor value = session.run(part, {{indices, Tensor({3, 1, 3}, int64)}});
  CHECK(value.type() == part.type());
  CHECK(value.index()->row == std::vector<Index>{1, 3});
  const auto held = value.span<float>();
  CHECK(std::vector<float>(held.begin(), held.end()) == std::vector<float>{3, 4, 7, 8});

  // Assigning a part leaves the other rows alone.
  const Expr assign = g.assign(table, part * 10);
  session.run(assign, {{indices, Tensor({3, 1}, int64)}});
  CHECK(session.value(table) == Tensor({{1, 2}, {30, 40}, {5, 6}, {70, 80}}));

  // By a dense value, the part is the table.
  CHECK(session.run(part_of(table, square(table))) == session.value(table));
}
