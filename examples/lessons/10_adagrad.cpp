// Lesson 10: Adagrad is a graph. Five steps by hand are its steps, to the bit.
#include <fmt/ranges.h>
#include <gradus/gradus.h>

#include <array>
using namespace gradus;

int main() {
  Graph g;
  const Tensor start({3.0, -0.5, 0.01}), pull({1, 10, 100});
  // [loss]
  const auto loss = [&](const Expr& w) { return reduce_sum(0.5 * (pull * square(w))); };  // gradient: pull * w
  Expr w = g.variable("w", start);
  Expr theirs = Adagrad(0.1).minimize(loss(w));
  // [/]

  // [hand]
  Expr v = g.variable("v", start);
  Expr a = g.variable("a", full({3}, 0.1), {.trainable = false});
  Expr dv = gradients(loss(v), {v})[0];
  Expr sum = a + square(dv);
  Expr next = v - 0.1 * dv / sqrt(sum);
  const std::array both{g.assign(a, sum), g.assign(v, next)};
  Expr by_hand = g.group(both);
  // [/]

  // [steps]
  Session session(g);
  for (int step = 1; step <= 5; ++step) {
    const Tensor before = session.value(w);
    session.run(theirs);
    session.run(by_hand);
    const Tensor after = session.value(w);
    fmt::print("step {}: moved by", step);
    for (int j = 0; j < 3; ++j) fmt::print(" {:8.4f}", after.at(j) - before.at(j));
    fmt::print("   by hand the same bits: {}\n", after == session.value(v));
  }
  // [/]

  fmt::print("\nvariables:\n");
  for (const Expr& variable : g.variables()) fmt::print("  {}\n", variable.name());
}
