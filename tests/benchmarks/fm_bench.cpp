// Full batches of the article's factorization machine, its formula as the article writes it: the toy of seven rows,
// and MovieLens-100k, sparse and dense.
#include "article.h"
#include "loops.h"

namespace bench {

using namespace gradus;

namespace {

void toy_step(benchmark::State& state) {
  const auto [features, ratings] = rendle2010();
  const Tensor x = features, y = ratings;  // clang 14 does not let a lambda read a binding
  constexpr int k = 5;
  Article a(false, x.shape(), k, 0.001, Adagrad(0.1));
  ArticleTraining gradus(a, x, y, Device::cpu(), 1);
  // [p] broadcast to [k, p] counts k times.
  loops::DenseMachine<k> machine({x.dim(1), gradus.start()}, loops::Optimizer::adagrad, 0.1F, {k * 0.001F, 0.001F});
  const auto loop = [&] { return machine.step(x.span<float>().data(), y.span<float>().data(), x.dim(0)); };
  if (!same_way(
          state, 50, [&] { return gradus.step_loss(); }, loop))
    return;
  compare(state, 3.5, gradus.steps(), [&](std::int64_t count) {
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
  ArticleTraining gradus(a, x, y, Device::cpu(), threads);
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
  ArticleTraining one(a, x, y, Device::cpu(), 1);
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
  ArticleTraining gradus(a, x, y, Device::cpu(), 1);
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
