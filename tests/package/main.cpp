// What anybody might write: the package test builds and runs it against an installed gradus.
#include <gradus/gradus.h>

int main() {
  using namespace gradus;
  Graph g;
  const Expr x = g.placeholder("x", {any, 2});
  const Expr w = g.variable("w", ones({2, 1}));
  const Expr train = Adagrad(0.1).minimize(reduce_mean(square(matmul(x, w) - 1)));
  Session session(g);
  session.run(train, {{x, Tensor({{1, 2}, {3, 4}})}});
  fmt::print("{}\n", session.value(w));
  return allclose(session.value(w), ones({2, 1}), 0.2) ? 0 : 1;
}
