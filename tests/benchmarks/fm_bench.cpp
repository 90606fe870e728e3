// The article's factorization machine, written as in the article, beside the same step as a hand-written loop. One
// thread. Run: gradus_bench, and compare the rows in pairs.
#include "loops.h"

#include <gradus/gradus.h>

#include <benchmark/benchmark.h>

#include <cmath>

using namespace gradus;

namespace {

// The article's graph, for dense and sparse X alike.
struct Article {
  Graph g;
  Expr X, y, V, loss, train;

  Article(bool sparse, std::int64_t n, std::int64_t p, std::int64_t k, double l2) {
    X = sparse ? g.sparse_placeholder("X", {n, p}) : g.placeholder("X", {n, p});
    y = g.placeholder("y", {n, 1});
    const Expr w0 = g.variable("w0", zeros({1}));
    const Expr W = g.variable("W", zeros({p}));
    V = g.variable("V", random_normal({k, p}, {.stddev = 0.01, .seed = 1}));
    const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);
    const Expr interactions =
        0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
    loss = reduce_mean(square(y - (linear_terms + interactions)));
    if (l2 > 0) loss = loss + reduce_sum(l2 * pow(W, 2) + l2 * pow(V, 2));
    train = Adagrad(0.1).minimize(loss);
  }
};

// The loop's machine, from the graph's initial V [k, p].
loops::Machine machine_like(Session& session, const Expr& V) {
  const std::int64_t k = V.shape()[0];
  const std::int64_t p = V.shape()[1];
  loops::Machine m(p, k);
  const Tensor v = session.value(V);
  for (std::int64_t f = 0; f < k; ++f)
    for (std::int64_t j = 0; j < p; ++j)
      m.v[static_cast<std::size_t>(j * k + f)] = v.span<float>()[static_cast<std::size_t>(f * p + j)];
  return m;
}

std::vector<float> vector_of(const Tensor& t) { return {t.span<float>().begin(), t.span<float>().end()}; }

// Both must have gone the same way, or the comparison means nothing.
void check_same(benchmark::State& state, double loop, double graph) {
  if (std::abs(loop - graph) > 1e-3 * std::abs(graph)) state.SkipWithError("the loop and the graph differ");
}

// --- the article's toy: 7 x 16, k = 5 ----------------------------------------------------------------------

void toy_gradus(benchmark::State& state) {
  const auto [x, y] = rendle2010();
  Article a(false, 7, 16, 5, 0.001);
  Session session(a.g, Device::cpu(), {.threads = 1});
  for (auto _ : state) session.run(a.train, {{a.X, x}, {a.y, y}});
}
BENCHMARK(toy_gradus);

void toy_loop(benchmark::State& state) {
  const auto [x, y] = rendle2010();
  Article a(false, 7, 16, 5, 0.001);
  Session session(a.g, Device::cpu(), {.threads = 1});
  const std::vector<float> xs = vector_of(x);
  const std::vector<float> ys = vector_of(y);
  const loops::Penalty penalty{5 * 0.001F, 0.001F};  // [p] broadcast to [k, p] counts k times
  loops::Machine m = machine_like(session, a.V);
  for (int i = 0; i < 50; ++i) {
    const double loop = loops::dense_step(m, xs, ys, 0.1F, penalty);
    const double graph = session.run({a.loss, a.train}, {{a.X, x}, {a.y, y}})[0].item();
    check_same(state, loop, graph);
  }
  for (auto _ : state) benchmark::DoNotOptimize(loops::dense_step(m, xs, ys, 0.1F, penalty));
}
BENCHMARK(toy_loop);

// --- MovieLens-100k's shape: 90570 x 2623, two ones a row, k = 20, full batch --------------------------------

struct Ratings {
  Tensor x;
  Tensor y;
  loops::Csr csr;

  Ratings() {
    constexpr std::int64_t rows = 90570;
    const Tensor users = random_uniform({rows}, {.seed = 1});
    const Tensor items = random_uniform({rows}, {.seed = 2});
    const Tensor noise = random_uniform({rows, 1}, {.low = 1, .high = 5, .seed = 3});
    csr.row_start.push_back(0);
    for (std::size_t i = 0; i < rows; ++i) {
      // Squared: some users and items are rated far more often than others.
      csr.column.push_back(static_cast<std::int32_t>(943 * users.span<float>()[i] * users.span<float>()[i]));
      csr.column.push_back(943 + static_cast<std::int32_t>(1680 * items.span<float>()[i] * items.span<float>()[i]));
      csr.row_start.push_back(static_cast<std::int64_t>(csr.column.size()));
    }
    csr.value.assign(csr.column.size(), 1.0F);
    const std::vector<std::int32_t> start(csr.row_start.begin(), csr.row_start.end());
    x = Tensor::csr(rows, 2623, start, csr.column, csr.value);
    y = noise;
  }
};

const Ratings& ratings() {
  static const Ratings all;
  return all;
}

void movielens_csr_gradus(benchmark::State& state) {
  const Ratings& r = ratings();
  Article a(true, r.x.dim(0), r.x.dim(1), 20, 0);
  Session session(a.g, Device::cpu(), {.threads = static_cast<int>(state.range(0))});
  for (auto _ : state) session.run(a.train, {{a.X, r.x}, {a.y, r.y}});
}
BENCHMARK(movielens_csr_gradus)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

void movielens_csr_loop(benchmark::State& state) {
  const Ratings& r = ratings();
  Article a(true, r.x.dim(0), r.x.dim(1), 20, 0);
  Session session(a.g, Device::cpu(), {.threads = 1});
  const std::vector<float> ys = vector_of(r.y);
  loops::Machine m = machine_like(session, a.V);
  for (int i = 0; i < 5; ++i) {
    const double loop = loops::sparse_step(m, r.csr, ys, 0.1F, {});
    const double graph = session.run({a.loss, a.train}, {{a.X, r.x}, {a.y, r.y}})[0].item();
    check_same(state, loop, graph);
  }
  for (auto _ : state) benchmark::DoNotOptimize(loops::sparse_step(m, r.csr, ys, 0.1F, {}));
}
BENCHMARK(movielens_csr_loop)->Unit(benchmark::kMillisecond);

// --- what the first run of a step costs ----------------------------------------------------------------------

void plan_compile_toy(benchmark::State& state) {
  const auto [x, y] = rendle2010();
  Article a(false, 7, 16, 5, 0.001);
  for (auto _ : state) {
    Session session(a.g, Device::cpu(), {.threads = 1});
    session.run(a.train, {{a.X, x}, {a.y, y}});
  }
}
BENCHMARK(plan_compile_toy)->Unit(benchmark::kMicrosecond);

}  // namespace
