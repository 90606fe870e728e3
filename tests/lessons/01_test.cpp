// Hint 1: Lesson 1 walks the ids upwards. When a walk comes to a node, what is known of its inputs?
// Hint 2: Keep a vector of values, one for each id. A second one says which ids the fetch needs. Which walk fills it?
// Hint 3: needed[fetch] = true; walk ids downwards and mark the inputs of each marked node. Then walk upwards and leave
//         out what is not marked; compute the others from the values of their inputs.
#include "lesson_test.h"

namespace exercise {

CASE("a sum") {
  lessons::Draw draw("a sum");
  const double p = draw.between(-9, 9), q = draw.between(-9, 9);
  Graph g;
  const Expr a = g.placeholder("a", {}), b = g.placeholder("b", {});
  const Expr sum = a + b;
  lessons::expect("a + b", evaluate(g, sum, [&](const Expr& x) { return x.name() == "a" ? p : q; }), p + q,
                  "does add read both inputs?");
}

CASE("a difference, and a number") {
  lessons::Draw draw("a difference");
  const double p = draw.between(-9, 9);
  Graph g;
  const Expr a = g.placeholder("a", {});
  const Expr y = 3 - a * 2;
  lessons::expect("3 - a * 2", evaluate(g, y, [&](const Expr&) { return p; }), 3 - p * 2,
                  "which input is subtracted from which?");
}

CASE("a node that is read twice") {
  lessons::Draw draw("read twice");
  const double p = draw.between(1, 2);
  Graph g;
  Expr y = g.variable("a", zeros({}));
  for (int i = 0; i < 12; ++i) y = y + y;
  int asked = 0;
  const double found = evaluate(g, y, [&](const Expr&) { return ++asked, p; });
  lessons::expect("twelve doublings of a", found, 4096 * p, "is the input of y + y added twice?");
  lessons::expect("how often a is asked for", asked, 1, "was a node that is read twice computed twice?");
}

CASE("a node that nobody needs") {
  lessons::Draw draw("not needed");
  const double p = draw.between(1, 2);
  Graph g;
  const Expr a = g.placeholder("a", {}), b = g.placeholder("b", {});
  a* b;
  const Expr y = a * a;
  y - b;
  const double found = evaluate(g, y, [&](const Expr& x) {
    lessons::require(x.name() == "a", "b was asked for, but a * a does not read it", "is the node needed?");
    return p;
  });
  lessons::expect("a * a", found, p * p, "is the fetch the last node of the graph?");
}

CASE("a graph that is drawn") {
  lessons::Draw draw("drawn");
  Graph g;
  std::vector<Expr> node = {g.placeholder("a", {}, float64), g.placeholder("b", {}, float64)};
  const double p = draw.between(-1, 1), q = draw.between(-1, 1);
  for (int i = 0; i < 30; ++i) {
    const Expr x = node[static_cast<std::size_t>(draw.whole(0, static_cast<int>(node.size()) - 1))];
    const Expr z = node[static_cast<std::size_t>(draw.whole(0, static_cast<int>(node.size()) - 1))];
    const int op = draw.whole(0, 2);
    node.push_back(op == 0 ? x + z : op == 1 ? x - 0.5 * z : x * z);
  }
  const Expr y = node[0] * node[1] + node.back();  // reads both
  Session session(g);
  const double expected = session.run(y, {{node[0], p}, {node[1], q}}).item();
  lessons::expect("a drawn graph", evaluate(g, y, [&](const Expr& x) { return x.name() == "a" ? p : q; }), expected,
                  "what does Session say of the same graph?", 1e-6);
}

}  // namespace exercise
