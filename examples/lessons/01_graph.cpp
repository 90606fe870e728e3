// Lesson 1: a graph is an array. Where is the result of a + b before you run?
#include <fmt/ranges.h>
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>
using namespace gradus;

int main() {
  // [declare]
  Graph g;
  Expr a = g.placeholder("a", {2});
  Expr b = g.variable("b", Tensor({10, 20}));
  Expr c = a + b;
  Expr d = c * c;
  // [/]

  fmt::print("id  name      op           type         line             reads\n");
  // [walk]
  for (NodeId id = 0; id < g.size(); ++id) {
    const Expr node = g[id];
    std::vector<NodeId> inputs;
    for (int i = 0; i < node.arity(); ++i) inputs.push_back(node.input(i).id());
    fmt::print("{:<4}{:<10}{:<13}{:<13}{:<17}{}\n", id, node.name(), node.op().name(), node.type(),
               to_string(node.where()), inputs);
  }
  // [/]

  // [run]
  Session session(g);
  fmt::print("\nd is {}\n", session.run(d, {{a, Tensor({1, 2})}}));
  fmt::print("d is {}\n", session.run(d, {{a, Tensor({3, 4})}}));
  fmt::print("nodes after two runs: {}\n", g.size());
  // [/]

  // [mistakes]
  try {
    session.run(d, {{a, Tensor({1, 2, 3})}});
  } catch (const Error& error) {
    fmt::print("\nin the run: {}\n", error.what());
  }
  try {
    a + Tensor({1, 2, 3});
  } catch (const Error& error) {
    fmt::print("before any run: {}\n", error.what());
  }
  // [/]
}
