// Elementwise ops that a program makes for itself, of as many operands as the engine's loops take.
#include <gradus/gradus.h>
#include <gradus/ops/elementwise.h>

#include <doctest/doctest.h>

namespace gradus {
namespace {

Expr blend(const Operand& a, const Operand& b, const Operand& c, const Operand& d) {
  static constexpr Row r = row<Takes::floating>(
      "blend", [](auto w, auto x, auto y, auto z) { return w * x + y * z; }, "x0 * x1 + x2 * x3", Gives::same,
      Zeros::all, [](const Chain& chain, int i) { return chain.dy * chain.x(i ^ 1); });
  return elementwise(r, {a, b, c, d});
}

TEST_CASE("a row of four operands, arrays, numbers and columns") {
  for (const std::int64_t n : {0, 1, 5, 300, 70'000}) {
    CAPTURE(n);
    Graph g;
    const Expr a = g.placeholder("a", {n, 2}), b = g.placeholder("b", {n, 2}), c = g.placeholder("c", {}),
               d = g.placeholder("d", {n, 1});
    const Feeds feeds{{a, random_normal({n, 2}, {.seed = 1})},
                      {b, random_normal({n, 2}, {.seed = 2})},
                      {c, Tensor(0.5)},
                      {d, random_normal({n, 1}, {.seed = 3})}};
    const Expr y = blend(a, b, c, d);
    Session session(g);
    CHECK(allclose(session.run(y, feeds), session.run(a * b + c * d, feeds), 1e-5, 1e-6));
  }
}

TEST_CASE("the gradient of a row of four operands, and what it refuses") {
  Graph g;
  const Expr a = g.placeholder("a", {3, 2}, float64), b = g.placeholder("b", {2}, float64),
             c = g.placeholder("c", {}, float64), d = g.placeholder("d", {3, 1}, float64);
  const Feeds feeds{{a, random_normal({3, 2}, {.seed = 1, .dtype = float64})},
                    {b, random_normal({2}, {.seed = 2, .dtype = float64})},
                    {c, Tensor(0.5, float64)},
                    {d, random_normal({3, 1}, {.seed = 3, .dtype = float64})}};
  CHECK(check_gradients(blend(a, b, c, d), {a, b, c, d}, feeds).ok);
  CHECK_THROWS_WITH_AS(blend(a, b, c, cast(d, float32)), doctest::Contains("d is float32"), TypeError);
}

}  // namespace
}  // namespace gradus
