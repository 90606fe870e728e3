// The consumer that the package test builds against an installed gradus.
#include <gradus/gradus.h>

#include <fmt/core.h>

int main() {
  using namespace gradus;
  Graph g;
  const Expr x = g.placeholder("x", {any, 2});
  fmt::print("{} {}\n", x.shape(), Tensor({{1, 2}, {3, 4}}));
}
