// Hint 1: Write the residual r_i = y_i - sum_j x_ij w_j. What is dr_i / dw_j?
// Hint 2: d (r_i^2) / dw_j = -2 r_i x_ij. The mean adds that up over the rows and divides by n; the penalty adds its
//         own derivative.
// Hint 3: d_j = -2 / n sum_i r_i x_ij + 2 lambda w_j.
#include "lesson_test.h"

namespace exercise {

struct Problem {
  Matrix x;
  std::vector<double> y, w;
};
inline Problem drawn(std::string_view test, int n, int p) {
  lessons::Draw draw(test);
  Problem problem;
  for (int i = 0; i < n; ++i) problem.x.push_back(draw.many(p));
  problem.y = draw.many(n);
  problem.w = draw.many(p);
  return problem;
}

CASE("one example, one weight") {
  const Problem p = drawn("one", 1, 1);
  const double expected = -2 * (p.y[0] - p.x[0][0] * p.w[0]) * p.x[0][0];
  lessons::expect("d loss / dw", ridge_gradient(p.x, p.y, p.w, 0)[0], expected, "the chain rule of (y - x w)^2");
}

CASE("several examples") {
  Problem p = drawn("several", 1, 2);
  const double once = ridge_gradient(p.x, p.y, p.w, 0)[1];
  p.x.push_back(p.x[0]);
  p.y.push_back(p.y[0]);
  lessons::expect("d loss / dw with the same example twice", ridge_gradient(p.x, p.y, p.w, 0)[1], once,
                  "the error is a mean: each row counts one n-th");
}

CASE("the penalty alone") {
  Problem p = drawn("penalty", 3, 4);
  for (auto& row : p.x) row.assign(4, 0);
  for (std::size_t j = 0; j < 4; ++j)
    lessons::expect("d (0.5 sum w^2) / dw", ridge_gradient(p.x, p.y, p.w, 0.5)[j], p.w[j],
                    "the derivative of lambda w^2 is 2 lambda w");
}

CASE("what Gradus says") {
  const Problem p = drawn("gradus", 7, 3);
  std::vector<double> flat;
  for (const auto& row : p.x) flat.insert(flat.end(), row.begin(), row.end());
  gradus::Graph g;
  const gradus::Expr w = g.variable("w", gradus::Tensor::from(p.w, {3, 1}));
  const gradus::Expr y_hat = matmul(g.constant(gradus::Tensor::from(flat, {7, 3})), w);
  const gradus::Expr loss =
      reduce_mean(square(gradus::Tensor::from(p.y, {7, 1}) - y_hat)) + 0.3 * reduce_sum(square(w));
  gradus::Session session(g);
  const std::vector<double> found = ridge_gradient(p.x, p.y, p.w, 0.3);
  lessons::expect("the gradient", gradus::Tensor::from(found, {3, 1}), session.run(gradients(loss, {w})[0]),
                  "what do gradients() and your chain rule disagree about?");
}

}  // namespace exercise
