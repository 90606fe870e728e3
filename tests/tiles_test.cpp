// Steps that run by tiles of a few rows give what they give as a whole, along however many axes the tiles are cut.
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace gradus {
namespace {

// A chain of elementwise ops, kept, and its sums, by tiles and not.
void check_tiles(const Shape& shape, const Shape& beside, bool cut) {
  CAPTURE(to_string(shape));
  CAPTURE(to_string(beside));
  Graph g;
  const Expr a = g.placeholder("a", shape), b = g.placeholder("b", beside);
  const Expr u = (a * b + 2) / (1 + square(a)), v = u * u - 3 * u * b;
  const std::vector<Expr> fetches{v, reduce_sum(v), reduce_sum(v, -1), reduce_max(sqrt(1 + v * v)),
                                  reduce_mean(exp(-u * u))};
  const Feeds feeds{{a, random_normal(shape, {.seed = 1}).draw(0)}, {b, random_normal(beside, {.seed = 2}).draw(0)}};
  Session by_tiles(g), whole(g, Device::cpu(), {.without = {"tiles"}}), alone(g, Device::cpu(), {.threads = 1});
  const std::vector<Tensor> got = by_tiles.run(fetches, feeds), want = whole.run(fetches, feeds);
  CHECK(got[0] == want[0]);
  for (std::size_t i = 1; i < fetches.size(); ++i) {
    CAPTURE(i);
    CHECK(allclose(got[i], want[i], 2e-6, 2e-6));
  }
  CHECK(alone.run(fetches, feeds) == got);
  const std::string plan = by_tiles.explain(reduce_sum(v), feeds);
  CHECK((plan.find(" in tiles of ") != std::string::npos) == cut);
}

TEST_CASE("tiles are cut along as many axes as rows are long") {
  check_tiles({100'000}, {100'000}, true);
  check_tiles({5'000, 20}, {20}, true);
  check_tiles({4, 30'000}, {4, 30'000}, true);
  check_tiles({4, 30'000}, {1, 1}, true);
  check_tiles({1, 100'000}, {1, 100'000}, true);
  check_tiles({1, 100'000}, {1, 1}, true);
  check_tiles({100'000, 1}, {100'000, 1}, true);
  check_tiles({2, 3, 20'001}, {2, 3, 20'001}, true);
  check_tiles({40, 1, 5'000}, {40, 1, 5'000}, true);
  check_tiles({3, 40'000}, {40'000}, true);  // a row for all: along it nothing may be cut
  check_tiles({2, 100}, {2, 100}, false);
  check_tiles({200, 5'000}, {200, 1}, true);
}

}  // namespace
}  // namespace gradus
