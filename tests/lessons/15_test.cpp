// Hint 1: Copy huber from lesson 15: a name, the formula for one element, the same as text, which zeros stay, and the
//         gradient.
// Hint 2: The gradient is c.dy times the derivative, as an expression of c.x(0) or c.y. 1 / (1 + |x|) is 1 - |y|.
// Hint 3: Zeros::first says that the result is 0 where the operand is: then csr stays csr.
#include "lesson_test.h"

namespace exercise {

CASE("the value") {
  lessons::Draw draw("value");
  const Tensor x = draw.tensor({9}, -4, 4);
  Graph g;
  const Expr X = g.placeholder("x", {9}, float64);
  Session session(g);
  const Tensor y = session.run(soft_sign(X), {{X, x}});
  for (int i = 0; i < 9; ++i)
    lessons::expect("soft_sign(x)", y.at(i), x.at(i) / (1 + std::abs(x.at(i))), "x / (1 + |x|)");
}
CASE("the gradient") {
  lessons::Draw draw("gradient");
  Graph g;
  const Expr X = g.placeholder("x", {9}, float64);
  const GradientCheck check = check_gradients(soft_sign(X), {X}, {{X, draw.tensor({9}, 0.5, 4)}});
  lessons::require(check.ok, check.report, "the chain rule: times c.dy");
}
CASE("the gradient of the gradient") {
  lessons::Draw draw("second");
  Graph g;
  const Expr X = g.placeholder("x", {9}, float64);
  const Expr dx = gradients(soft_sign(X) * soft_sign(X), {X})[0];
  const GradientCheck check = check_gradients(dx, {X}, {{X, draw.tensor({9}, 0.5, 4)}});
  lessons::require(check.ok, check.report, "is the rule an expression of c.x(0) or c.y?");
}
CASE("a csr matrix") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 9}, float64);
  std::string said;
  try {
    said = to_string(soft_sign(X).layout());
  } catch (const TypeError& error) {
    said = error.what();
  }
  lessons::require(said == "csr", fmt::format("of a csr matrix: {}", said), "f(0) = 0: Zeros::first");
}

}  // namespace exercise
