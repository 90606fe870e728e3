// The article's factorization machine as the article writes it, and a session that trains it on full batches: Gradus'
// side of the benchmarks of the toy and of MovieLens-100k, on any device.
#pragma once

#include "data.h"
#include "measure.h"

#include <gradus/gradus.h>

#include <cstdint>
#include <vector>

namespace bench {

/// The graph, for dense and sparse X [n, p] alike.
struct Article {
  gradus::Graph g;
  gradus::Expr X, y, V, loss, train;  // V is [k, p]

  Article(bool sparse, const gradus::Shape& shape, std::int64_t k, double l2, gradus::Optimizer&& optimizer) {
    using namespace gradus;
    const std::int64_t n = shape[0], p = shape[1];
    X = sparse ? g.sparse_placeholder("X", {n, p}) : g.placeholder("X", {n, p});
    y = g.placeholder("y", {n, 1});
    const Expr w0 = g.variable("w0", zeros({1}));
    const Expr W = g.variable("W", zeros({p}));
    V = g.variable("V", random_normal({k, p}, {.stddev = 0.01, .seed = 1}));
    const Expr linear_terms = w0 + reduce_sum(W * X, 1, keep_dims);
    const Expr interactions =
        0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1, keep_dims);
    loss = reduce_mean(square(y - (linear_terms + interactions)));
    if (l2 > 0) loss = loss + reduce_sum(l2 * pow(W, 2) + l2 * pow(V, 2));
    train = optimizer.minimize(loss);
  }
};

/// A session on the graph, with its data.
struct ArticleTraining {
  const Article& a;
  gradus::Session session;
  gradus::PreparedRun step;
  gradus::Tensor x, y;

  ArticleTraining(Article& article, const gradus::Tensor& x_data, const gradus::Tensor& y_data,
                  const gradus::Device& device, int threads)
      : a(article),
        session(a.X.graph(), device, {.threads = threads}),
        step(session.prepare(a.train, {a.X, a.y})),
        x(x_data),
        y(y_data) {}

  double step_loss() { return session.run({a.loss, a.train}, {{a.X, x}, {a.y, y}})[0].item(); }
  Steps steps() {
    return [this](std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) step(x, y);
    };
  }
  /// The first V, [p, k] as the loops have it.
  std::vector<float> start() { return vector_of(gradus::Session(a.X.graph()).run(transpose(a.V))); }
};

}  // namespace bench
