// Full batches of the article's factorization machine, its formula as the article writes it: the toy of seven rows,
// and MovieLens-100k, sparse and dense.
#include "data.h"
#include "loops.h"
#include "measure.h"

#include <gradus/gradus.h>

#include <vector>

namespace bench {

using namespace gradus;

namespace {

// The article's graph, for dense and sparse X alike. V is [k, p].
struct Article {
  Graph g;
  Expr X, y, V, loss, train;

  Article(bool sparse, const Shape& shape, std::int64_t k, double l2, Optimizer&& optimizer) {
    const std::int64_t n = shape[0], p = shape[1];
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
    train = optimizer.minimize(loss);
  }
};

// A session on the graph, with its data.
struct Training {
  const Article& a;
  Session session;
  PreparedRun step;
  Tensor x, y;

  Training(Article& article, const Tensor& x_data, const Tensor& y_data, int threads)
      : a(article),
        session(a.X.graph(), Device::cpu(), {.threads = threads}),
        step(session.prepare(a.train, {a.X, a.y})),
        x(x_data),
        y(y_data) {}

  double step_loss() { return session.run({a.loss, a.train}, {{a.X, x}, {a.y, y}})[0].item(); }
  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) step(x, y);
    };
  }
  // The first V, [p, k] as the loops have it.
  std::vector<float> start() { return vector_of(Session(a.X.graph()).run(transpose(a.V))); }
};

void toy_step(benchmark::State& state) {
  const auto [features, ratings] = rendle2010();
  const Tensor x = features, y = ratings;  // clang 14 does not let a lambda read a binding
  constexpr int k = 5;
  Article a(false, x.shape(), k, 0.001, Adagrad(0.1));
  Training gradus(a, x, y, 1);
  // [p] broadcast to [k, p] counts k times.
  loops::DenseMachine<k> machine({x.dim(1), gradus.start()}, loops::Optimizer::adagrad, 0.1F, {k * 0.001F, 0.001F});
  const auto loop = [&] { return machine.step(x.span<float>().data(), y.span<float>().data(), x.dim(0)); };
  if (!same_way(
          state, 50, [&] { return gradus.step_loss(); }, loop))
    return;
  compare(state, 6, gradus.steps(), [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(loop());
  });
}

void movielens_csr(benchmark::State& state, int threads) {
  const DataSet& data = movielens();
  state.SetLabel(data.origin);
  constexpr int k = 20;
  const Tensor x = x_rows(data, 0, data.rows());
  const Tensor y = y_rows(data, 0, data.rows());
  Article a(true, x.shape(), k, 0, Adam(0.01));
  Training gradus(a, x, y, threads);
  using Machine = loops::SparseMachine<k>;
  Machine machine({data.features, gradus.start()}, 0.01F);
  if (!same_way(
          state, 5, [&] { return gradus.step_loss(); }, [&] { return machine.step(data.x, data.y.data()); }))
    return;
  const auto loop_steps = [&data](Machine& m) -> Steps {
    return [&](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(m.step(data.x, data.y.data()));
    };
  };
  if (threads == 1) return compare(state, 1.5, gradus.steps(), loop_steps(machine));
  Training one(a, x, y, 1);
  Machine copy = machine;
  compare_threads(state, {gradus.steps(), one.steps(), loop_steps(machine), loop_steps(copy)});
}

void movielens_dense(benchmark::State& state) {
  if (!memory_suffices(state, 6)) return;
  const DataSet& data = movielens();
  state.SetLabel(data.origin);
  constexpr int k = 20;
  const Tensor x = x_rows(data, 0, data.rows()).to_dense();
  const Tensor y = y_rows(data, 0, data.rows());
  Article a(false, x.shape(), k, 0, Adam(0.01));
  Training gradus(a, x, y, 1);
  loops::DenseMachine<k> machine({data.features, gradus.start()}, loops::Optimizer::adam, 0.01F, {});
  const auto loop = [&] { return machine.step(x.span<float>().data(), data.y.data(), data.rows()); };
  if (!same_way(
          state, 3, [&] { return gradus.step_loss(); }, loop))
    return;
  compare(state, 2, gradus.steps(),
          [&](std::int64_t count) {
            for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(loop());
          },
          {.rounds = 3});
}

}  // namespace

void add_fm_rows() {
  const auto add = [](const char* name, auto function, auto... arguments) {
    benchmark::RegisterBenchmark(name, function, arguments...)->Iterations(1)->UseManualTime();
  };
  add("toy step", toy_step);
  add("movielens csr", movielens_csr, 1);
  add("movielens csr/threads:2", movielens_csr, 2);
  add("movielens dense", movielens_dense);
}

}  // namespace bench
