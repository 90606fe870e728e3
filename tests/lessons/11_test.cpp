// Hint 1: Look at AmsGrad in lesson 11: it has two slots, you need one.
// Hint 2: u.slot(name, 0) makes the slot, u.old(slot) reads it, u.set(slot, value) writes it and gives the new value.
// Hint 3: const Expr slot = u.slot("mean", 0); const Expr mean = u.set(slot, 0.9 * u.old(slot) + 0.1 * u.g()); then set
//         u.variable() to u.old(u.variable()) - u.rate() * sign(mean).
#include "lesson_test.h"

namespace exercise {

CASE("one step") {
  Graph g;
  const Expr w = g.variable("w", Tensor({1.0, 1.0, 1.0}, float64));
  Signum signum(0.25);
  const Expr train = signum.minimize(reduce_sum(Tensor({3.0, -0.001, 0.0}, float64) * w));
  Session session(g);
  session.run(train);
  lessons::expect("w", session.value(w), Tensor({0.75, 1.25, 1.0}, float64), "every step is as long as the rate, or 0");
}
CASE("a gradient that turns") {
  Graph g;
  const Expr slope = g.placeholder("slope", {}, float64), w = g.variable("w", Tensor(0, float64));
  Signum signum(1);
  const Expr train = signum.minimize(slope * w);
  Session session(g);
  session.run(train, {{slope, 10}});
  session.run(train, {{slope, -1}});
  lessons::require(session.value(w).item() != 0 || !signum.slot(w, "mean").valid() ||
                       session.value(signum.slot(w, "mean")).item() != 0,
                   "the slot \"mean\" is 0 after two steps", "is the mean kept from step to step?");
  lessons::expect("w after gradients 10 and -1", session.value(w).item(), -2,
                  "the sign of the mean, not of the gradient");
}
CASE("a trajectory") {
  lessons::Draw draw("trajectory");
  Graph g;
  const Expr slope = g.placeholder("slope", {}, float64), w = g.variable("w", Tensor(0, float64));
  Signum signum(0.5);
  const Expr train = signum.minimize(slope * w);
  Session session(g);
  double mean = 0, expected = 0;
  for (int step = 0; step < 30; ++step) {
    const double s = draw.between(-1, 1);
    session.run(train, {{slope, s}});
    mean = 0.9 * mean + 0.1 * s;
    expected -= mean > 0 ? 0.5 : -0.5;
  }
  lessons::expect("w after 30 steps", session.value(w).item(), expected, "is the mean kept from step to step?");
}
CASE("rows of a table") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 9}, float64), V = g.variable("V", ones({9, 2}, float64));
  Signum signum(0.25);
  const Expr train = signum.minimize(reduce_sum(matmul(X, V)));
  Session session(g);
  session.run(train, {{X, Tensor::csr<double, int>(1, 9, {0, 1}, {4}, {2})}});
  lessons::expect("a row that is touched", session.value(V).at(4, 0), 0.75,
                  "u.old() reads the rows that the gradient holds");
  lessons::expect("a row that is not", session.value(V).at(5, 0), 1, "u.old() reads the rows that the gradient holds");
}

}  // namespace exercise
