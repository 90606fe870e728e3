// A factorization machine learns seven ratings of movies (Rendle 2010): declare a graph, ask an optimizer for a
// training step, run it in a session. The formula stands here node by node, as in the article of which this is the
// program; models/factorization_machine.h has it ready to use.
// clang-format off
#include "device_argument.h"
#include <gradus/gradus.h>
#include <fmt/ranges.h>
using namespace gradus;

int main(int argc, char** argv) {
  const Device device = device_argument(argc, argv);      // --device cpu, cuda or cuda:1
  const auto [x_data, y_data] = rendle2010();             // [7, 16], [7, 1]
  const std::int64_t n = 7, p = 16, k = 5;

  Graph g;
  Expr X = g.placeholder("X", {n, p});
  Expr y = g.placeholder("y", {n, 1});

  Expr w0 = g.variable("w0", zeros({1}));
  Expr W  = g.variable("W", zeros({p}));
  Expr V  = g.variable("V", random_normal({k, p}, {.stddev = 0.01, .seed = 1}));

  Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);                        // [n, 1]
  Expr interactions = 0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2)
                                       - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
  Expr y_hat = linear_terms + interactions;                                        // [n, 1]

  Expr l2_norm = reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2));                // broadcasts [p] + [k, p]
  Expr error   = reduce_mean(square(y - y_hat));
  Expr loss    = error + l2_norm;
  Expr train   = Adagrad(0.1).minimize(loss);

  Session session(g, device);
  for (int epoch = 0; epoch < 1000; ++epoch) session.run(train, {{X, x_data}, {y, y_data}});

  fmt::print("MSE: {}\n", session.run(error, {{X, x_data}, {y, y_data}}).item());

  // What the article prints besides.
  fmt::print("Loss (regularized error): {}\n", session.run(loss, {{X, x_data}, {y, y_data}}).item());
  fmt::print("Predictions:\n{}\n", session.run(y_hat, {{X, x_data}}));             // [7, 1]
  fmt::print("Learnt weights:\n{}\n", session.value(W));                          // [16]
  fmt::print("Learnt factors:\n{}\n", session.value(V));                          // [5, 16]
}
