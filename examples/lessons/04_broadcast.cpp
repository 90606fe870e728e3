// Lesson 4: broadcasting and its undoing. Where did [7, 16] go in the gradient of [16]?
#include <fmt/ranges.h>
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>
using namespace gradus;

int main() {
  const Tensor x_data = rendle2010().x;  // [7, 16]
  // [shapes]
  Graph g;
  Expr X = g.placeholder("X", {7, 16});
  Expr W = g.variable("W", ones({16}));
  Expr V = g.variable("V", ones({5, 16}));
  Expr weighted = W * X;         // [16] * [7, 16]
  Expr penalty = W * W + V * V;  // [16] + [5, 16]
  fmt::print("W {}, X {}: W * X is {}\n", W.shape(), X.shape(), weighted.shape());
  fmt::print("W {}, V {}: W * W + V * V is {}\n\n", W.shape(), V.shape(), penalty.shape());
  // [/]

  // [back]
  const int before = g.size();
  Expr dW = gradients(weighted, {W})[0];
  int undone = 0;
  for (NodeId id = before; id < g.size(); ++id) undone += g[id].op().name() == "unbroadcast" ? 1 : 0;
  fmt::print("dW is {}; nodes called unbroadcast: {}\n", dW.shape(), undone);
  // [/]

  // [sum]
  Session session(g);
  const Tensor found = session.run(dW, {{X, x_data}});
  double by_hand = 0;  // column 11 of X: the month of each rating
  for (int row = 0; row < 7; ++row) by_hand += x_data.at(row, 11);
  fmt::print("dW[11] = {}\nsum of column 11 = {}\n\n", found.at(11), by_hand);
  // [/]

  // [penalty]
  const std::vector<Expr> d = gradients(reduce_sum(penalty), {W, V});
  const Expr apart = reduce_sum(W * W) + reduce_sum(V * V);
  fmt::print("d penalty / dW[0] = {}\n", session.run(d[0]).at(0));
  fmt::print("d penalty / dV[0, 0] = {}\n", session.run(d[1]).at(0, 0));
  fmt::print("two sums / dW[0] = {}\n", session.run(gradients(apart, {W})[0]).at(0));
  // [/]
}
