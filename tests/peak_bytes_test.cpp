// The memory of a plan against the least that its graph can do with: of steps the most that must be there at once, of a
// region that of one tile.
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace gradus {
namespace {

std::int64_t arena_of(const std::vector<Expr>& fetches) {
  return Session(fetches[0].graph()).steps(fetches).arena_bytes;
}

TEST_CASE("steps: the most that must be there at once") {
  Graph g;
  const Expr x = g.placeholder("x", {64, 64}), a = g.placeholder("a", {64, 64});
  constexpr std::int64_t matrix = 64 * 64 * 4;
  // Elementwise steps write over what they read.
  CHECK(arena_of({sin(cos(exp(x)))}) == matrix);
  // A product reads all of its operands until it is done: of a chain two are there at a time, however long it is.
  CHECK(arena_of({matmul(matmul(x, a), a)}) == 2 * matrix);
  CHECK(arena_of({matmul(matmul(matmul(matmul(matmul(x, a), a), a), a), a)}) == 2 * matrix);
  // Three that are read at the end, the last of them written in place.
  const Expr p = matmul(x, a), q = matmul(p, a);
  CHECK(arena_of({matmul(q, a) * p + q}) == 3 * matrix);
}

TEST_CASE("a training step: variables are written in place") {
  Graph g;
  const Expr x = g.placeholder("x", {64, 64}), y = g.placeholder("y", {64, 64});
  const Expr w1 = g.variable("w1", ones({64, 64})), w2 = g.variable("w2", ones({64, 64}));
  const Expr h = sigmoid(matmul(x, w1));
  const Expr train = GradientDescent(0.1).minimize(reduce_sum(square(matmul(h, w2) - y)));
  // Once d h is there, h and the error e are still to be read for d w2 = h^T e, and what comes next, d w2 or 1 - h, is
  // a fourth matrix, in whatever order.
  CHECK(arena_of({train}) == 4 * 64 * 64 * 4);
}

TEST_CASE("a region: two results of one tile, and the sum") {
  Graph g;
  const Expr x = g.placeholder("x", {100000, 8});
  const Expr a = g.variable("a", ones({8, 8}));
  const PlanSteps plan = Session(g).steps(reduce_sum(matmul(matmul(matmul(x, a), a), a), 0));
  CHECK(plan.arena_bytes == 64);  // 8 sums are 32 bytes, in a line of their own
  REQUIRE(plan.groups.size() == 1);
  CHECK(plan.groups[0].tile_bytes == 2 * 8 * 4 * plan.groups[0].tile_rows);
}

}  // namespace
}  // namespace gradus
