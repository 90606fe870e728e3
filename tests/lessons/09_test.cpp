// Hint 1: It is the first half of exercise 1: which nodes does the fetch need?
// Hint 2: Mark the fetch; walk the ids downwards and mark the inputs of every node that is marked.
// Hint 3: g.variables() has all variables, in their order. Return the names of those that are not marked.
#include "lesson_test.h"

namespace exercise {

inline std::string listed(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }
inline void expect_idle(Graph& g, const Expr& fetch, const std::string& expected, std::string_view hint) {
  const std::string found = listed(idle_variables(g, fetch));
  lessons::require(found == expected, fmt::format("idle are [{}], expected [{}]", found, expected), hint);
}

CASE("nothing is idle") {
  Graph g;
  const Expr a = g.variable("a", zeros({})), b = g.variable("b", zeros({}));
  expect_idle(g, exp(a * b) + 1, "", "the fetch depends on what its inputs depend on");
}
CASE("the article") {
  Graph g;
  const Expr first = g.variable("y_hat", zeros({7, 1}));
  const Expr X = g.placeholder("X", {7, 16}), W = g.variable("W", zeros({16})), w0 = g.variable("w0", zeros({1}));
  const Expr y_hat = w0 + reduce_sum(W * X, 1, keep_dims);
  expect_idle(g, y_hat, "y_hat", "the name is taken by a variable that no node reads");
  lessons::require(first.kind() == Kind::variable, "y_hat is a variable", "");
}
CASE("read, but not for this") {
  Graph g;
  const Expr a = g.variable("a", zeros({})), b = g.variable("b", zeros({}));
  const Expr y = a * a;
  y + b;
  expect_idle(g, y, "b", "somebody reads the variable, but does the fetch read that?");
}
CASE("a graph that is drawn") {
  lessons::Draw draw("drawn");
  Graph g;
  std::vector<std::string> idle;
  Expr y = g.constant(Tensor(1));
  for (int i = 0; i < 12; ++i) {
    const Expr v = g.variable(fmt::format("v{}", i), zeros({}));
    if (draw.whole(0, 1) == 0) {
      y = tanh(y + v);
    } else {
      tanh(y + v);
      idle.push_back(v.name());
    }
  }
  expect_idle(g, y, listed(idle), "somebody reads the variable, but does the fetch read that?");
}

}  // namespace exercise
