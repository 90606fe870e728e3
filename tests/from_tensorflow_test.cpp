// Lines of docs/from_tensorflow.md that are more than the name of an op: what they give is what TensorFlow 1 gives.
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace gradus;

TEST_CASE("from TensorFlow 1: lines for indices and shapes") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 4}), n = g.placeholder("n", {any}, int32);
  const Expr w = g.variable("w", ones({3, 2})), ids = g.constant(Tensor({2, 0}, int64));
  const Expr i = range(g, 0, 4, 1, int32), p = g.constant(Tensor({2, 0, 3, 1}, int32));
  Session session(g);
  const Feeds feeds = {{x, Tensor({{1, 2, 3, 4}, {5, 6, 7, 8}})}, {n, Tensor({3, 1}, int32)}};
  CHECK(session.run(gather(x, where(i < expand_dims(n, 1), expand_dims(n, 1) - 1 - i, i), 1, 1), feeds) ==
        Tensor({{3, 2, 1, 4}, {5, 6, 7, 8}}));
  CHECK(session.run(cast(i < expand_dims(n, -1), int32), feeds) == Tensor({{1, 1, 1, 0}, {1, 0, 0, 0}}, int32));
  CHECK(session.run(at(expand_dims(x, -1) * eye(4), {1, 2}), feeds) == Tensor({0, 0, 7, 0}));
  CHECK(session.run(argsort(p)) == Tensor({1, 3, 0, 2}, int32));
  CHECK(session.run(bincount(unique(g.constant(Tensor({7, 5, 7, 7}))).idx, 4)) == Tensor({3, 1, 0, 0}, int32));
  const Expr v = g.constant(Tensor({{8, 9}, {6, 7}}));
  session.run(assign_add(w, to_dense(scatter_add(ids, v - gather(w, ids), w.shape()))));
  CHECK(session.value(w) == Tensor({{6, 7}, {1, 1}, {8, 9}}));
}

TEST_CASE("from TensorFlow 1: lines for mathematics") {
  Graph g;
  const Expr a = g.constant(Tensor({{4, 2}, {2, 3}}, float64)), b = g.constant(Tensor({{1}, {2}}, float64));
  const Expr l = cholesky(a);
  const Expr X = g.constant(Tensor({{1, 0}, {1, 1}, {1, 2}}, float64));
  const Expr y = g.constant(Tensor({{1}, {3}, {5}}, float64)), z = g.constant(Tensor({1, 2, 4}));
  Session session(g);
  CHECK(allclose(session.run(matrix_triangular_solve(l, matrix_triangular_solve(l, b), {.adjoint = true})),
                 session.run(matrix_solve(a, b)), 1e-12));
  CHECK(session.run(square(reduce_prod(einsum("ii->i", cholesky(a))))).item() == doctest::Approx(8));
  CHECK(allclose(session.run(matrix_solve(matmul(X, X, {.transpose_a = true}), matmul(X, y, {.transpose_a = true}))),
                 Tensor({{1}, {2}}, float64), 1e-12));
  CHECK(allclose(session.run(exp(cumsum(log(z)))), Tensor({1, 2, 8}), 1e-6));
  CHECK(session.run(reduce_mean(cast(z == 2, float32))).item() == doctest::Approx(1.0 / 3));
  const double inf = std::numeric_limits<double>::infinity();
  const Expr ends = g.constant(Tensor({inf, -inf, std::nan(""), 1}));
  CHECK(session.run(cast(!isnan(ends) && !isfinite(ends), int32)) == Tensor({1, 1, 0, 0}, int32));
  const Expr checked = with_dependencies({Assert(isfinite(ends), {ends})}, ends);
  CHECK_THROWS_AS(session.run(checked), ValueError);
}
