// Lesson 5: the whole thing in a hundred lines, 05_mini.h. Does it learn what Gradus learns?
#include "05_mini.h"

#include <gradus/gradus.h>

#include <cmath>
using namespace gradus;

Matrix matrix(const Tensor& t) {
  return each(static_cast<int>(t.dim(0)), static_cast<int>(t.dim(1)), [&](int i, int j) { return t.at(i, j); });
}

int main() {
  const auto [x_data, y_data] = rendle2010(float64);
  Graph g;
  Expr V0 = g.variable("V", random_normal({5, 16}, {.stddev = 0.01, .seed = 1, .dtype = float64}));
  // [article]
  Mini m;
  const auto X = m.leaf(matrix(x_data)), y = m.leaf(matrix(y_data));
  const auto w0 = m.leaf(Matrix(1, 1)), W = m.leaf(Matrix(1, 16)), V = m.leaf(matrix(Session(g).value(V0)));
  const auto squared = [&](std::size_t x) { return m.mul(x, x); };

  const auto linear_terms = m.add(w0, m.sum_rows(m.mul(W, X)));
  const auto pairs = m.add(squared(m.matmul_t(X, V)), m.times(-1, m.matmul_t(squared(X), squared(V))));
  const auto y_hat = m.add(linear_terms, m.times(0.5, m.sum_rows(pairs)));
  const auto l2_norm = m.sum_all(m.add(m.times(0.001, squared(W)), m.times(0.001, squared(V))));
  const auto error = m.times(1.0 / 7, m.sum_all(squared(m.add(y, m.times(-1, y_hat)))));
  const auto loss = m.add(error, l2_norm);
  // [/]

  // [adagrad]
  std::vector<Matrix> accumulator;
  for (const std::size_t w : {w0, W, V}) accumulator.emplace_back(m.node[w].value.rows, m.node[w].value.cols, 0.1);
  for (int epoch = 0; epoch < 1000; ++epoch) {
    m.run();
    m.reverse(loss);
    for (std::size_t v = 0; v < 3; ++v) {
      Mini::Node& w = m.node[std::array{w0, W, V}[v]];
      for (std::size_t j = 0; j < w.dy.all.size(); ++j)
        w.value.all[j] -= 0.1 * w.dy.all[j] / std::sqrt(accumulator[v].all[j] += w.dy.all[j] * w.dy.all[j]);
    }
  }
  m.run();
  // [/]
  Expr X0 = g.placeholder("X", {7, 16}, float64), y0 = g.placeholder("y", {7, 1}, float64);
  Expr b = g.variable("w0", zeros({1}, float64)), W0 = g.variable("W", zeros({16}, float64));
  Expr formula =
      b + reduce_sum(W0 * X0, 1, keep_dims) +
      0.5 * reduce_sum(square(matmul(X0, transpose(V0))) - matmul(square(X0), transpose(square(V0))), 1, keep_dims);
  Expr same = reduce_mean(square(y0 - formula)) + reduce_sum(0.001 * square(W0) + 0.001 * square(V0));
  Expr train = Adagrad(0.1).minimize(same);
  Session session(g);
  for (int epoch = 0; epoch < 1000; ++epoch) session.run(train, {{X0, x_data}, {y0, y_data}});
  const double ours = session.run(same, {{X0, x_data}, {y0, y_data}}).item(), mini = m.node[loss].value.all[0];
  fmt::print("nodes of the mini graph: {}\n", m.node.size());
  fmt::print("loss, mini: {:.6f}\nloss, Gradus: {:.6f}\n", mini, ours);
  fmt::print("within 1e-5: {}\n", std::abs(mini - ours) < 1e-5);
}
