// Shapes that only the run knows: tensors made of them, placeholders of any rank, and what is refused.
#include "emulator/emulated_accelerator.h"
#include "refusal.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace gradus {
namespace {

TEST_CASE("a shape of known shapes is known when the graph is built, others in the run") {
  Graph g;
  const Expr known = g.placeholder("known", {2, 3}), open = g.placeholder("open", {any, 3});
  CHECK(zeros(shape_of(known)).shape() == Shape({2, 3}));
  CHECK(zeros(2 * shape_of(known), int32).type() == Type{int32, {4, 6}, Layout::dense});
  CHECK(zeros(shape_of(open)).shape() == Shape({any, any}));
  CHECK(range(0, size_of(known)).shape() == Shape({6}));
  CHECK(range(0, size_of(open)).shape() == Shape({any}));
  CHECK(zeros({2, 3}) == Tensor({{0, 0, 0}, {0, 0, 0}}));  // of numbers, a tensor as ever
  Session session(g);
  CHECK(session.run(fill(slice(shape_of(open), {0}, {1}), 0.5), {{open, zeros({4, 3})}}) ==
        Tensor({0.5, 0.5, 0.5, 0.5}));
  CHECK(session.run(range(1, cast(size_of(open), float32), 2.5), {{open, zeros({2, 3})}}) == Tensor({1, 3.5}));
}

TEST_CASE("random numbers of a shape that the run knows") {
  Graph g;
  const Expr x = g.placeholder("x", {any, any});
  const Expr u = random_uniform(shape_of(x), {.low = 2, .high = 3, .seed = 4}),
             n = random_normal(shape_of(x), {.dtype = float64}),
             t = truncated_normal(shape_of(x), {.mean = -1, .stddev = 0.5, .seed = 4});
  Session session(g), on_device(g, emulated_device());
  const Feeds feeds = {{x, zeros({30, 20})}};
  const auto [first, normal] = session.run({u, n}, feeds);
  CHECK(first.shape() == Shape({30, 20}));
  CHECK(normal.type() == Type{float64, {30, 20}, Layout::dense});
  for (const double number : first) CHECK_MESSAGE((number >= 2 && number < 3), number);
  CHECK(!(session.run(u, feeds) == first));
  CHECK(on_device.run(u, feeds) == first);
  const Tensor truncated = session.run(t, feeds), other = session.run(t, feeds);
  for (const Tensor& drawn : {truncated, other})
    for (const double number : drawn) CHECK_MESSAGE((number > -2 && number < 0), number);
  CHECK(session.run(reduce_mean(t), feeds).item() == doctest::Approx(-1).epsilon(0.06));
  CHECK(!(truncated == other));
}

TEST_CASE("range on a device, of more numbers than are folded") {
  Graph g;
  const Expr x = g.placeholder("x", {any});
  for (const Expr& y : {range(5, 2 * size_of(x), 3), range(0.25, cast(size_of(x), float32), 0.5)}) {
    Session session(g), on_device(g, emulated_device());
    const Feeds feeds = {{x, zeros({3000})}};
    CHECK(session.run(y, feeds) == on_device.run(y, feeds));
  }
  Session session(g);
  CHECK(session.run(range(5, 2 * size_of(x), 3), {{x, zeros({3000})}}) == arange(5, 6000, 3, int64));
}

TEST_CASE("shapes that a run would have to compute are refused") {
  Graph g;
  const int line = __LINE__;
  const Expr s = g.placeholder("s", {2}, int64);
  const Expr z = zeros(s);
  Session session(g);
  CHECK(refusal([&] {
          session.run(z, {{s, Tensor({2, 3}, int64)}});
        }) == "run: the shape of zeros: float32 [?, ?] (" + here(line + 2) +
                  ") depends on numbers that the run computes or is fed; shapes may depend on constants and on shapes");
  const Expr x = g.placeholder("x", {3});
  CHECK(refusal([&] { zeros(x); }) == "zeros: the shape is x: float32 [3] (" + here(line + 8) +
                                          "); integers of a known number, [rank], are expected");
  const std::string below_0 = refusal<ValueError>([&] { zeros(-shape_of(x)); });
  CHECK(below_0 == "zeros: the shape negative: int64 [1] (" + here(__LINE__ - 1) + ") is [-3]; sizes are at least 0");
  CHECK(refusal<ValueError>([&] { range(0, size_of(x), 0); }) ==
        "range: start 0, limit 3, delta 0; all must be finite, and delta not 0");
  CHECK(refusal([&] { range(0, x); }) ==
        "range: limit is x: float32 [3] (" + here(line + 8) + "); numbers of one dtype, [], are expected");
}

TEST_CASE("a placeholder of any rank goes through what does without the rank") {
  Graph g;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", any_shape, float64), w = g.variable("w", Tensor(2, float64));
  CHECK(to_string(x) == "x: float64 [...] (" + here(line + 1) + ")");
  const Expr y = where(x > 1, square(x) * w, -x), loss = reduce_mean(y);
  CHECK(!y.shape().ranked());
  CHECK(loss.shape() == Shape());
  const std::vector<Expr> d = gradients(loss, {w, x});
  const Expr train = GradientDescent(0.5).minimize(loss);
  Session session(g);
  for (const Tensor& fed : {Tensor(3, float64), Tensor({1, 2, 3}, float64), Tensor({{3, 0}, {0, 0}}, float64)}) {
    const double n = static_cast<double>(fed.size());
    double sum = 0, slope = 0;
    for (const double v : fed) {
      sum += v > 1 ? 2 * v * v : -v;
      slope += v > 1 ? v * v : 0;
    }
    const auto [value, dw, dx] = session.run({loss, d[0], d[1]}, {{x, fed}});
    CHECK(value.item() == doctest::Approx(sum / n));
    CHECK(dw.item() == doctest::Approx(slope / n));
    CHECK(dx.shape() == fed.shape());
    CHECK(session.run(reshape(x, {any}), {{x, fed}}).rank() == 1);
    CHECK(session.run(random_uniform_like(x), {{x, fed}}).shape() == fed.shape());
  }
  session.run(train, {{x, Tensor({1, 2}, float64)}});
  CHECK(session.value(w).item() == 1);

  const std::string needed = "the rank of x: float64 [...] (" + here(line + 1) +
                             ") is not known before a run, but is needed; declare its placeholder with one: {any, any}";
  CHECK(refusal([&] { matmul(x, Tensor({{1}}, float64)); }) == "matmul: " + needed);
  CHECK(refusal([&] { reduce_sum(x, 0); }) == needed);
  CHECK(refusal([&] { softmax(x); }) == needed);
  const int v_line = __LINE__ + 1;
  const Expr v = g.variable("v", zeros({2}, float64));
  CHECK(refusal([&] {
          session.run(g.assign(v, x), {{x, Tensor({1, 2, 3}, float64)}});
        }) == "assign: the variable is [2] (v, " + here(v_line) + ") but the value is [3] (x, " + here(line + 1) + ")");
}

}  // namespace
}  // namespace gradus
