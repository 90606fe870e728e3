// A multilayer perceptron's training step, 784-256-10 on 128 rows, beside its floor: the matrix products themselves.
#include "data.h"
#include "loops.h"
#include "measure.h"

#include <gradus/gradus.h>

namespace bench {

using namespace gradus;

namespace {

void mlp_step(benchmark::State& state) {
  constexpr std::int64_t n = 128, in = 784, hidden = 256, out = 10;
  constexpr float rate = 0.05F;
  Graph g;
  const Expr X = g.placeholder("X", {n, in});
  const Expr labels = g.placeholder("labels", {n, out});
  const Expr W1 = g.variable("W1", random_normal({in, hidden}, {.stddev = 0.05, .seed = 1}));
  const Expr b1 = g.variable("b1", zeros({hidden}));
  const Expr W2 = g.variable("W2", random_normal({hidden, out}, {.stddev = 0.1, .seed = 1}));
  const Expr b2 = g.variable("b2", zeros({out}));
  const Expr h = relu(matmul(X, W1) + b1);                                                       // [n, hidden]
  const Expr loss = reduce_mean(softmax_cross_entropy_with_logits(labels, matmul(h, W2) + b2));  // []
  const Expr train = GradientDescent(rate).minimize(loss);

  const Tensor x = random_uniform({n, in}, {.seed = 1});
  const Tensor classes = Tensor(random_uniform({n}, {.high = out, .seed = 2})).cast(int32);
  const Tensor y = Session(g).run(one_hot(g.constant(classes), out));
  Session session(g, Device::cpu(), {.threads = 1});
  loops::Mlp mlp({n, in, hidden, out}, vector_of(session.value(W1)), vector_of(session.value(W2)), rate);
  const float* const x_data = x.span<float>().data();
  const float* const y_data = y.span<float>().data();
  const auto gradus_loss = [&] { return session.run({loss, train}, {{X, x}, {labels, y}})[0].item(); };
  if (!same_way(state, 10, gradus_loss, [&] { return mlp.step(x_data, y_data, true); })) return;
  compare(
      state, 1.15,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) session.run(train, {{X, x}, {labels, y}});
      },
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) benchmark::DoNotOptimize(mlp.step(x_data, y_data, false));
      });
}

}  // namespace

void add_mlp_rows() { benchmark::RegisterBenchmark("mlp step", mlp_step)->Iterations(1)->UseManualTime(); }

}  // namespace bench
