// The plan compiler: what a plan computes with its passes is what it computes without them, to rounding, on any number
// of threads the same bits; and each rule finds what it is there for.
#include "plan_steps.h"
#include "refusal.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace gradus {
namespace {

const std::vector<std::string> pass_names{"fold_constants",   "simplify", "reassociate", "share_common_subexpressions",
                                          "store_transposed", "tiles"};

enum class InputKind : std::uint8_t { dense, csr, csr_of_ones };

// The article's factorization machine in float64, with V as the article stores it, [k, p], or by rows, [p, k].
struct Machine {
  Graph g;
  Expr X, y, loss, train;
  std::vector<Expr> variables;

  Machine(InputKind input, bool by_rows, Optimizer&& optimizer, std::int64_t n, std::int64_t p, std::int64_t k) {
    X = input == InputKind::dense ? g.placeholder("X", {n, p}, float64) : g.sparse_placeholder("X", {n, p}, float64);
    y = g.placeholder("y", {n, 1}, float64);
    const Expr w0 = g.variable("w0", zeros({1}, float64));
    const Expr W = g.variable("W", random_normal({p}, {.stddev = 0.1, .seed = 2, .dtype = float64}));
    const Shape shape = by_rows ? Shape({p, k}) : Shape({k, p});
    const Expr V = g.variable("V", random_normal(shape, {.stddev = 0.1, .seed = 1, .dtype = float64}));
    const Expr factors = by_rows ? V : transpose(V);
    const Expr interactions =
        0.5 * reduce_sum(pow(matmul(X, factors), 2) - matmul(pow(X, 2), pow(factors, 2)), 1, keep_dims);
    const Expr y_hat = w0 + reduce_sum(W * X, 1, keep_dims) + interactions;
    loss = reduce_mean(square(y - y_hat)) + reduce_sum(0.001 * pow(W, 2)) + reduce_sum(0.001 * pow(V, 2));
    if (input != InputKind::dense && by_rows) loss = reduce_mean(square(y - y_hat));  // so that gradients stay rows
    train = optimizer.minimize(loss);
    variables = {w0, W, V};
  }
};

// A csr matrix with a few numbers in each row but for some rows, which have none.
Tensor design(InputKind input, std::int64_t n, std::int64_t p) {
  std::vector<std::int64_t> start{0};
  std::vector<std::int64_t> column;
  std::vector<double> values;
  for (std::int64_t r = 0; r < n; ++r) {
    for (std::int64_t j = 0; j < (r % 7 == 3 ? 0 : 1 + r % 3); ++j) {
      column.push_back((r * 13 + j * (p / 4)) % p);
      values.push_back(input == InputKind::csr_of_ones ? 1 : 0.25 + 0.5 * static_cast<double>((r + j) % 5));
    }
    start.push_back(static_cast<std::int64_t>(column.size()));
  }
  return Tensor::csr(n, p, start, column, values, Duplicates::sum);
}

Tensor targets(std::int64_t n) {
  std::vector<double> y;
  for (std::int64_t r = 0; r < n; ++r) y.push_back(static_cast<double>(r % 5));
  return Tensor::from(y).reshape({n, 1});
}

// The losses of some steps, then all variables.
std::vector<Tensor> trained(Machine& m, const Tensor& x, const SessionOptions& options) {
  Session session(m.g, Device::cpu(), options);
  const Tensor y = targets(x.shape()[0]);
  std::vector<Tensor> results;
  for (int step = 0; step < 5; ++step) results.push_back(session.run({m.loss, m.train}, {{m.X, x}, {m.y, y}})[0]);
  for (const Expr& variable : m.variables) results.push_back(session.value(variable));
  return results;
}

void check_passes(InputKind input, bool by_rows, Optimizer&& optimizer, std::int64_t n, std::int64_t p,
                  std::int64_t k) {
  CAPTURE(n);
  CAPTURE(p);
  CAPTURE(k);
  Machine m(input, by_rows, std::move(optimizer), n, p, k);
  const Tensor csr = design(input, n, p);
  CHECK(csr.ones() == (input == InputKind::csr_of_ones));
  const Tensor x = input == InputKind::dense ? csr.to_dense() : csr;
  const std::vector<Tensor> plain = trained(m, x, {.threads = 1, .without = pass_names});
  const auto check = [&](const std::vector<std::string>& without) {
    const std::vector<Tensor> results = trained(m, x, {.threads = 1, .without = without});
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(allclose(results[i], plain[i], 1e-11, 1e-12));
  };
  check({});
  for (const std::string& name : pass_names) check({name});
  CHECK(trained(m, x, {.threads = 3}) == trained(m, x, {.threads = 1}));
}

TEST_CASE("with all passes, without any, and without each: the same training") {
  for (const bool by_rows : {false, true})
    for (const InputKind input : {InputKind::dense, InputKind::csr, InputKind::csr_of_ones}) {
      CAPTURE(by_rows);
      check_passes(input, by_rows, Adagrad(0.1), 7, 16, 5);
      check_passes(input, by_rows, Adagrad(0.1), 30, 100, 8);
      check_passes(input, by_rows, Adagrad(0.1), 80, 600, 8);   // V is large enough to be stored transposed
      check_passes(input, by_rows, Adagrad(0.1), 5003, 12, 4);  // tiles, and a last one that is shorter
    }
}

TEST_CASE("a batch touches few rows of its table") {
  for (const std::int64_t k : {1, 3, 8, 16, 20}) {
    check_passes(InputKind::csr, true, Adagrad(0.1), 40, 1000, k);
    check_passes(InputKind::csr_of_ones, true, Adam(0.1), 40, 1000, k);
  }
  check_passes(InputKind::csr, true, Adagrad(0.1), 9000, 20'000,
               16);  // several tiles of touched rows, on several threads
}

// X + X and X^2 X have X's pattern, whose columns the gradient's rows are, before a tile of them is there.
TEST_CASE("the gradient of a product whose csr operand is made of one matrix twice, in tiles") {
  constexpr std::int64_t n = 5003, p = 12, k = 3;
  Graph g;
  const Expr X = g.sparse_placeholder("X", {n, p}, float64);
  const Expr V = g.variable("V", random_normal({p, k}, {.seed = 1, .dtype = float64}));
  const std::vector<Feed> feeds{{X, design(InputKind::csr, n, p)}};
  for (const Expr& made : {X + X, square(X) * X, (X + X) * (tanh(X) - X)}) {
    const Expr gradient = gradients(reduce_sum(tanh(matmul(made, V))), {V})[0];
    Session plain(g, Device::cpu(), {.without = pass_names});
    CHECK(allclose(Session(g).run(gradient, feeds), plain.run(gradient, feeds), 1e-11, 1e-12));
  }
}

// --- what the rules find ---------------------------------------------------------------------------------

std::string plan_of(Graph& g, const Expr& fetch, const Feeds& feeds) { return Session(g).explain(fetch, feeds); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("the columns of a product of powers are summed before it is made") {
  Graph g;
  const Expr a = g.placeholder("a", {6, 4}), b = g.placeholder("b", {4, 3});
  const std::string plan = plan_of(g, reduce_sum(matmul(square(a), square(b)), 1), {});
  CHECK(!has(plan, "[6, 3]"));
  CHECK(has(plan, "[4, 1]"));
  // Of other matrices b, a sum over the columns may overflow where the product does not.
  CHECK(has(plan_of(g, reduce_sum(matmul(square(a), b), 1), {}), "[6, 3]"));
}

TEST_CASE("transposed operands are taken as they are stored") {
  Graph g;
  const Expr a = g.placeholder("a", {6, 4}), b = g.placeholder("b", {3, 4});
  CHECK(has(plan_of(g, matmul(a, transpose(b)), {}), "1 steps"));
  CHECK(has(plan_of(g, transpose(matmul(a, transpose(b))), {}), "1 steps"));
  CHECK(has(plan_of(g, transpose(exp(transpose(a))), {}), "1 steps"));
  CHECK(has(plan_of(g, reduce_sum(transpose(a), 0), {}), "1 steps"));
}

TEST_CASE("what depends on constants alone is not computed in the run, and twins are computed once") {
  Graph g;
  const Expr x = g.placeholder("x", {4});
  CHECK(has(plan_of(g, x * (g.constant(Tensor({1, 2, 3, 4})) * 2 + 1), {}), "1 steps"));
  CHECK(has(plan_of(g, exp(x) * sin(exp(x)), {}), "3 steps"));
  CHECK(has(plan_of(g, 2 * (3 * -x), {}), "1 steps"));
  // Random numbers are not twins.
  CHECK(has(plan_of(g, random_uniform(g, {4}) - random_uniform(g, {4}), {}), "3 steps"));
}

TEST_CASE("a column that is in all terms beside X^T scales its rows, and so does a number") {
  constexpr std::int64_t n = 60, p = 9, k = 4;
  Graph g;
  const Expr X = g.sparse_placeholder("X", {n, p}, float64);
  const Expr d = g.placeholder("d", {n, 1}, float64), c = g.placeholder("c", {n, 1}, float64);
  const Expr a = g.placeholder("a", {n, k}, float64), b = g.placeholder("b", {n, k}, float64);
  const Feeds feeds{{X, design(InputKind::csr, n, p)},
                    {d, random_normal({n, 1}, {.seed = 1, .dtype = float64})},
                    {c, random_normal({n, 1}, {.seed = 2, .dtype = float64})},
                    {a, random_normal({n, k}, {.seed = 3, .dtype = float64})},
                    {b, random_normal({n, k}, {.seed = 4, .dtype = float64})}};
  Session all(g), none(g, Device::cpu(), {.without = pass_names});
  // How many steps the plan has, if it scales rows; otherwise 0.
  const auto steps = [&](const Expr& product) {
    CHECK(allclose(all.run(product, feeds), none.run(product, feeds), 1e-11, 1e-12));
    const std::string plan = all.explain(product, feeds);
    return has(plan, "scaled_rows_product(") ? std::stoi(plan) : 0;
  };
  const auto turned = [&](const Expr& terms) { return matmul(X, terms, {.transpose_a = true}); };
  CHECK(steps(turned(d * a)) == 1);
  CHECK(steps(turned(2 * (a * d))) == 2);            // 2 d
  CHECK(steps(-3 * turned(d * a)) == 2);             // -3 d
  CHECK(steps(turned(d * a + b * d)) == 2);          // a + b
  CHECK(steps(turned(3 * d - 1.5 * (d * a))) == 3);  // -1.5 d and a - 2
  CHECK(steps(turned(a * (d - 2 * (b * d)) + d)) == 5);
  CHECK(steps(turned(d * a + d * d * b)) == 0);  // two columns
  CHECK(steps(turned(c * a + d * b)) == 0);
  CHECK(steps(turned(d * a + b)) == 0);
}

TEST_CASE("of one-hot rows no squares are taken, and those of other values are") {
  Graph g;
  const Expr x = g.sparse_placeholder("x", {any, 5});
  const Expr w = g.variable("w", ones({5, 1}));
  const Expr e = matmul(x, w) + matmul(pow(x, 2), w);
  Session session(g);
  const Tensor one_hot = Tensor({{1, 0, 0, 0, 1}, {0, 1, 0, 0, 0}}).to_csr();
  const Tensor other = Tensor({{1, 0, 0, 0, 2}, {0, 1, 0, 0, 0}}).to_csr();
  CHECK(!has(session.explain(e, {{x, one_hot}}), "square"));
  CHECK(has(session.explain(e, {{x, other}}), "square"));
  // The same placeholder, one after the other.
  for (int i = 0; i < 2; ++i) {
    CHECK(session.run(e, {{x, one_hot}}) == Tensor({{4}, {2}}));
    CHECK(session.run(e, {{x, other}}) == Tensor({{8}, {2}}));
  }
}

TEST_CASE("rows that a batch touches are updated in tiles, straight into their table") {
  Machine m(InputKind::csr, true, Adagrad(0.1), 40, 1000, 16);
  Session session(m.g);
  const PlanSteps plan = session.steps(m.train, {{m.X, design(InputKind::csr, 40, 1000)}, {m.y, targets(40)}});
  CHECK(has(to_string(plan), "rows that %0 X touches in tiles of"));
  for (const char* const variable : {"V", "V/Adagrad/accumulator"}) CHECK(written(plan, variable) == StepPlace::rows);
  for (const PlanStep& step : plan.list) CHECK(step.form != StepForm::copy);
}

// --- storage -----------------------------------------------------------------------------------------------

TEST_CASE("a matrix that is used transposed is stored so, and nobody outside sees it") {
  constexpr std::int64_t n = 80, p = 600, k = 8;
  for (const InputKind input : {InputKind::dense, InputKind::csr}) {
    Machine m(input, false, Adagrad(0.1), n, p, k);
    const Expr V = m.variables[2];
    const Tensor csr = design(InputKind::csr, n, p);
    const Tensor x = input == InputKind::dense ? csr.to_dense() : csr;
    const Tensor y = targets(n);
    Session turned(m.g), declared(m.g, Device::cpu(), {.without = {"store_transposed"}});
    auto step = turned.prepare(m.train, {m.X, m.y});
    // The loss alone is asked for first; the first training step finds what is better for both.
    for (Session* session : {&turned, &declared}) session->run(m.loss, {{m.X, x}, {m.y, y}});
    const std::string plan = turned.explain(m.train, {{m.X, x}, {m.y, y}});
    CHECK(!has(plan, "= transpose("));
    CHECK(has(declared.explain(m.train, {{m.X, x}, {m.y, y}}), "= transpose("));
    CHECK(has(plan, "float64 [600, 8]"));

    for (int i = 0; i < 3; ++i) {
      step(x, y);
      declared.run(m.train, {{m.X, x}, {m.y, y}});
    }
    CHECK(turned.value(V).shape() == Shape({k, p}));
    CHECK(allclose(turned.value(V), declared.value(V), 1e-11));
    CHECK(allclose(turned.run(V), declared.run(V), 1e-11));
    CHECK(allclose(turned.run(reduce_sum(V, 1)), declared.run(reduce_sum(V, 1)), 1e-11));

    const Tensor other = random_normal({k, p}, {.seed = 9, .dtype = float64});
    for (Session* session : {&turned, &declared}) session->assign(V, other);
    CHECK(turned.value(V) == other);
    CHECK(allclose(step(x, y), declared.run(m.train, {{m.X, x}, {m.y, y}})));
    CHECK(allclose(turned.value(V), declared.value(V), 1e-11));
    for (Session* session : {&turned, &declared}) session->initialize();
    CHECK(turned.value(V) == declared.value(V));
  }
}

TEST_CASE("an assign that replaces rows has a matrix stored as it is declared again") {
  Graph g;
  const Expr V = g.variable("V", random_normal({70, 70}, {.seed = 1}));
  const Expr x = g.placeholder("x", {100, 70});
  const Expr y = matmul(x, transpose(V));
  const Tensor xs = random_normal({100, 70}, {.seed = 2});
  Session session(g);
  const Tensor expected = session.run(y, {{x, xs}});
  const Tensor before = session.value(V);
  const Expr rows = gather(V, g.constant(Tensor({3, 5, 3}, int32)));
  const Expr train = GradientDescent(1).minimize(reduce_sum(rows));
  session.run(train);
  const Tensor after = session.value(V);
  for (std::int64_t i = 0; i < 70; ++i)
    CHECK(after.at(i, 4) == doctest::Approx(before.at(i, 4) - (i == 3 ? 2 : i == 5 ? 1 : 0)));
  const Tensor now = session.run(y, {{x, xs}});
  CHECK(now.at(0, 0) == doctest::Approx(expected.at(0, 0)));
  CHECK(now.at(0, 3) != doctest::Approx(expected.at(0, 3)));
}

TEST_CASE("an integer division by zero waits for the run") {
  Graph g;
  const Expr zero = g.constant(Tensor(0, int32));
  const Expr bad = floordiv(g.constant(Tensor(1, int32)), zero);
  Session session(g);
  CHECK(has(session.explain(bad), "1 steps"));
  CHECK(refusal<ValueError>([&] { session.run(bad); }) ==
        fmt::format("floordiv: integer division by zero (floordiv, passes_test.cpp:{})", __LINE__ - 4));
}

TEST_CASE("results of a region that nobody else needs are never there as a whole") {
  constexpr std::int64_t n = 100'000;
  Graph g;
  const Expr x = g.placeholder("x", {n, 8});
  const std::string plan = plan_of(g, reduce_sum(exp(sin(x) * 2) + x), {});
  CHECK(has(plan, "100000 rows in tiles of"));
  CHECK(has(plan, " 64 bytes of intermediate results"));
  CHECK_FALSE(has(plan, "  at 64"));
}

TEST_CASE("a region of 30,000 steps") {
  Graph g;
  const Expr x = g.placeholder("x", {5000});
  Expr y = x;
  for (int i = 0; i < 30'000; ++i) y = y + 1;
  Session session(g);
  CHECK(session.run(y, {{x, ones({5000})}}) == full({5000}, 30'001));
}

TEST_CASE("a session without a pass that is none") {
  Graph g;
  CHECK(refusal<ValueError>([&] { Session session(g, Device::cpu(), {.without = {"fusion"}}); }) ==
        "a session without the pass 'fusion'; the passes are fold_constants, simplify, reassociate, "
        "share_common_subexpressions, store_transposed, tiles, compile, recompute, fuse, record");
}

}  // namespace
}  // namespace gradus
