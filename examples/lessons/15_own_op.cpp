// Lesson 15: write your own op. What does the library have to know of it?
#include <gradus/gradus.h>
#include <gradus/ops/elementwise.h>
using namespace gradus;

// [row]
// x^2 / 2 near 0, |x| - 1/2 farther off (Huber 1964). d huber(x) = x held between -1 and 1, dx.
Expr huber(const Operand& x) {
  static constexpr Row row_of_huber = row<Takes::floating>(
      "huber", []<class T>(T v) { return v > 1    ? v - T(0.5)
                                         : v < -1 ? -v - T(0.5)
                                                  : v * v / 2; },
      "x0 > 1 ? x0 - 0.5 : x0 < -1 ? -x0 - 0.5 : x0 * x0 / 2", Gives::same, Zeros::first,
      [](const Chain& c, int) -> Expr { return c.dy * clip_by_value(c.x(0), -1, 1); });
  return elementwise(row_of_huber, {x});
}
// [/]

int main() {
  // [check]
  Graph g;
  Expr x = g.placeholder("x", {4}, float64);
  const Tensor at({-2.0, -0.5, 0.25, 3.0}, float64);
  Session session(g);
  fmt::print("huber({}) = {}\n", at, session.run(huber(x), {{x, at}}));
  fmt::print("its gradient is right: {}\n", check_gradients(huber(x), {x}, {{x, at}}).ok);
  // [/]

  // [csr]
  Expr S = g.sparse_placeholder("S", {any, 16});
  fmt::print("huber of a csr matrix is {}\n\n", huber(S).type());
  // [/]

  // [train]
  const auto [x_data, y_data] = rendle2010();
  Graph h;
  Expr X = h.placeholder("X", {7, 16}), y = h.placeholder("y", {7, 1});
  const LinearRegression model(X, y);
  Expr loss = reduce_mean(huber(model.y_hat - y));
  Expr train = Adagrad(0.1).minimize(loss);
  const auto count = [&](std::span<const Expr> fetches) {
    int found = 0;
    for (const PlanStep& step : Session(h).steps(fetches).list) found += step.op == "huber" ? 1 : 0;
    return found;
  };
  const std::array both{train, loss};
  fmt::print("steps that compute huber, in training: {}; with the loss fetched: {}\n", count({&train, 1}), count(both));
  // [/]
}
