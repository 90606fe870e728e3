// Hint 1: How long is the first step where the gradient is 1000? And where it is 0.001?
// Hint 2: The order counts: the accumulator first, then the step.
// Hint 3: In a loop: g = gradient(w); accumulator += g * g; w -= rate * g / sqrt(accumulator); remember w.
#include "lesson_test.h"

namespace exercise {

CASE("the first step") {
  lessons::Draw draw("first");
  const double g = draw.between(0.1, 5), rate = draw.between(0.01, 1);
  const std::vector<double> w = trajectory(
      2, [&](double) { return g; }, rate, 0.1, 1);
  lessons::expect("how many values there are", static_cast<double>(w.size()), 1,
                  "one for each step, without the start");
  lessons::expect("w", w[0], 2 - rate * g / std::sqrt(0.1 + g * g),
                  "the square of this gradient is in the accumulator already");
}
CASE("equal gradients") {
  lessons::Draw draw("equal");
  const double g = draw.between(1, 5);
  const std::vector<double> w = trajectory(
      0, [&](double) { return -g; }, 0.5, 0.1, 9);
  lessons::expect("step 9", w[8] - w[7], 0.5 * g / std::sqrt(0.1 + 9 * g * g),
                  "the accumulator keeps all squares so far");
}
CASE("the gradient where w is now") {
  const std::vector<double> w = trajectory(
      3, [](double at) { return at; }, 0.1, 0.1, 2);
  lessons::expect("w after two steps", w[1], w[0] - 0.1 * w[0] / std::sqrt(0.1 + 9 + w[0] * w[0]),
                  "the second gradient is taken where the first step has led");
}
CASE("the library's optimizer") {
  lessons::Draw draw("library");
  const double start = draw.between(1, 3), pull = draw.between(1, 9);
  gradus::Graph g;
  const gradus::Expr v = g.variable("v", gradus::Tensor(start, gradus::float64));
  const gradus::Expr train = gradus::Adagrad(0.3).minimize(pull * square(v));
  gradus::Session session(g);
  const std::vector<double> w = trajectory(
      start, [&](double at) { return 2 * pull * at; }, 0.3, 0.1, 20);
  for (std::size_t step = 0; step < 20; ++step) {
    session.run(train);
    lessons::expect(fmt::format("w after step {}", step + 1), w[step], session.value(v).item(),
                    "Adagrad says otherwise");
  }
}

}  // namespace exercise
