// DeepFM (Guo et al. 2017) with batch normalization and dropout, whether it trains and at what rate fed: what is random
// is fed too. TensorFlow's log_loss computes in float32.
#include "port.h"

namespace gradus::ports {
namespace {

// Six rows of three fields with features of their own, four each, and values; and whether there was a click.
struct Clicks {
  explicit Clicks(std::int64_t step)
      : ids(counted<std::int32_t>({6, 3},
                                  [&](std::int64_t i) {
                                    const std::int64_t r = i / 3, f = i % 3;
                                    return (r * 3 + step + f * f) % 4 + 4 * f;
                                  })),
        values(counted<double>(
            {6, 3}, [&](std::int64_t i) { return i % 3 < 2 ? 1 : static_cast<double>(i / 3 + 1 + step % 2) / 4; })),
        y(counted<double>({6, 1}, [&](std::int64_t r) { return (r * 5 + step) % 3 == 0; })) {}
  Tensor ids, values, y;
};

Printed deepfm() {
  Graph g;
  const Expr ids = g.placeholder("ids", {any, 3}, int32), values = g.placeholder("values", {any, 3}, float64);
  const Expr y = g.placeholder("y", {any, 1}, float64);
  const Expr rate = g.placeholder("rate", {}, float64), training = g.placeholder("training", {}, boolean);
  const Expr V = g.variable("V", start({12, 2}, 1)), w = g.variable("w", start({12, 1}, 2));
  const Expr W1 = g.variable("W1", start({6, 4}, 3)), b1 = g.variable("b1", zeros({4}, float64));
  const Expr beta = g.variable("beta", zeros({4}, float64)), gamma = g.variable("gamma", ones({4}, float64));
  const MovingMoments moving{g.variable("mean", zeros({4}, float64), {.trainable = false}),
                             g.variable("variance", ones({4}, float64), {.trainable = false})};
  const Expr W2 = g.variable("W2", start({3 + 2 + 4, 1}, 4)), b2 = g.variable("b2", start({}, 5));
  const Expr x = expand_dims(values, 2);
  const Expr first_order = reduce_sum(gather(w, ids) * x, 2);
  const Expr e = gather(V, ids) * x;
  const Expr second_order = 0.5 * (square(reduce_sum(e, 1)) - reduce_sum(square(e), 1));
  const Expr hidden = matmul(dropout(reshape(e, {any, 6}), rate), W1) + b1;
  const BatchNormalized normal = batch_normalization(hidden, moving, beta, gamma, training, {.momentum = 0.9});
  const Expr deep = dropout(relu(normal.y), rate);
  const Expr logits = matmul(concat({first_order, second_order, deep}, 1), W2) + b2;
  const Expr loss = log_loss(y, sigmoid(logits));
  const Expr train = g.group({Adam(0.05).minimize(loss), normal.update});
  Session session(g);
  std::vector<double> losses;
  for (int i = 0; i < 6; ++i) {
    const Clicks c(i);
    const Feeds feeds = {{ids, c.ids},
                         {values, c.values},
                         {y, c.y},
                         {rate, 0.25},
                         {training, true},
                         {g["random_uniform_like"], unit({6, 6}, i)},
                         {g["random_uniform_like_1"], unit({6, 4}, i + 1)}};
    losses.push_back(session.run({loss, train}, feeds)[0].item());
  }
  const Clicks c(5);
  return {losses, session.run(sigmoid(logits), {{ids, c.ids}, {values, c.values}, {rate, 0}, {training, false}})};
}

}  // namespace

TEST_CASE("port: DeepFM") { check_port("deepfm", deepfm(), 1e-5); }

}  // namespace gradus::ports
