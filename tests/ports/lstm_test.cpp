// An LSTM (Hochreiter, Schmidhuber 1997), unrolled, over batches of any size of sequences of different lengths: a
// sequence that has ended keeps its state.
#include "port.h"

namespace gradus::ports {
namespace {

// A batch of its own size of sequences of different lengths, at most five.
struct Sequences {
  explicit Sequences(std::int64_t step)
      : n(3 + step % 3),
        values(start({n, 5, 2}, step)),
        lengths(counted<std::int32_t>({n}, [&](std::int64_t r) { return (step + 2 * r) % 5 + 1; })),
        labels(counted<double>({n}, [&](std::int64_t r) { return (r + step) % 2; })) {}
  std::int64_t n;
  Tensor values, lengths, labels;
};

Printed lstm() {
  Graph g;
  const Expr x = g.placeholder("x", {any, 5, 2}, float64), length = g.placeholder("length", {any}, int32);
  const Expr y = g.placeholder("y", {any}, float64);
  const Expr W = g.variable("W", start({2 + 3, 4 * 3}, 1)), b = g.variable("b", zeros({4 * 3}, float64));
  const Expr out = g.variable("out", start({3, 1}, 2)), n = at(shape_of(x), {{0, 1}});
  Expr state = zeros(concat({n, g.constant(Tensor({3}, int64))}, 0), float64), output = state;
  for (std::int64_t t = 0; t < 5; ++t) {
    const auto gates = split(matmul(concat({at(x, {_, t}), output}, 1), W) + b, 4, 1);
    const Expr i = gates[0], j = gates[1], f = gates[2], o = gates[3];
    const Expr new_state = state * sigmoid(f + 1) + sigmoid(i) * tanh(j);
    const Expr new_output = tanh(new_state) * sigmoid(o);
    const Expr alive = expand_dims(length > t, 1);
    state = where(alive, new_state, state);
    output = where(alive, new_output, output);
  }
  const Expr logits = squeeze(matmul(output, out), 1);
  const Expr loss = reduce_mean(sigmoid_cross_entropy_with_logits(y, logits));
  const Expr train = RMSProp(0.05).minimize(loss);
  Session session(g);
  std::vector<double> losses;
  for (int step = 0; step < 6; ++step) {
    const Sequences s(step);
    losses.push_back(session.run({loss, train}, {{x, s.values}, {length, s.lengths}, {y, s.labels}})[0].item());
  }
  return {losses, session.run(sigmoid(logits), {{x, Sequences(5).values}, {length, Sequences(5).lengths}})};
}

}  // namespace

TEST_CASE("port: an LSTM over ragged batches") { check_port("lstm", lstm(), 1e-10); }

}  // namespace gradus::ports
