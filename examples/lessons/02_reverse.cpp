// Lesson 2: reverse mode. Why does everyone ask for a topological sort, and why is there none here?
#include <fmt/ranges.h>
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>
using namespace gradus;

int main() {
  // [small]
  Graph g;
  Expr a = g.placeholder("a", {});
  Expr b = a + a;
  Expr c = b * b;
  const int before = g.size();
  Expr dc = gradients(c, {a})[0];
  const int after = g.size();
  Expr d2c = gradients(dc, {a})[0];

  Session session(g);
  const auto [value, first, second] = session.run({c, dc, d2c}, {{a, 2}});
  fmt::print("c = {}, dc/da = {}, d2c/da2 = {}\n\n", value.item(), first.item(), second.item());
  // [/]

  // [nodes]
  for (NodeId id = 0; id < after; ++id) {
    std::vector<std::string> inputs;
    for (int i = 0; i < g[id].arity(); ++i) inputs.push_back(fmt::format("%{}", g[id].input(i).id()));
    fmt::print("{}%{} = {}({}){}\n", id == before ? "gradients:\n" : "", id, g[id].op().name(), fmt::join(inputs, ", "),
               same_node(g[id], dc) ? "   dc/da" : "");
  }
  // [/]

  // [doublings]
  Graph doubled;
  Expr x = doubled.placeholder("x", {});
  Expr y = x;
  double paths = 1;
  for (int i = 0; i < 40; ++i) {
    y = y + y;
    paths *= 2;  // each way to y so far goes on by two inputs
  }
  const int forward = doubled.size();
  Expr dy = gradients(y, {x})[0];
  fmt::print("\nforward nodes: {}\npaths from y to x: {:.4e}\nadded: {}\n", forward, paths, doubled.size() - forward);
  Session other(doubled);
  fmt::print("dy/dx: {:.4e}\n", other.run(dy, {{x, 1}}).item());
  // [/]
}
