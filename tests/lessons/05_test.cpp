// Hint 1: A node is its inputs, how to run it, and what it hands down: copy Mini::mul and change the two functions.
// Hint 2: The second function gets dy, which is what arrived at the node, and returns dy times the derivative by its
//         input i.
// Hint 3: square hands down 2 a dy; divide hands dy / b to a, and -dy a / b^2 to b. n.value is a / b already.
#include "lesson_test.h"

namespace exercise {

inline Matrix drawn(lessons::Draw& draw, int rows, int cols) {
  return each(rows, cols, [&](int, int) { return draw.between(1, 2); });
}

// The gradient of node y, summed, by leaf x, against central differences.
inline void check(Mini& m, std::size_t y, std::size_t x, std::string_view what, std::string_view hint) {
  const std::size_t sum = m.sum_all(y);
  m.run();
  m.reverse(sum);
  const Matrix dx = m.node[x].dy;
  for (std::size_t j = 0; j < dx.all.size(); ++j) {
    const auto moved = [&](double h) {
      m.node[x].value.all[j] += h;
      m.run();
      m.node[x].value.all[j] -= h;
      return m.node[sum].value.all[0];
    };
    lessons::expect(what, dx.all[j], (moved(1e-5) - moved(-1e-5)) / 2e-5, hint, 1e-6);
  }
}

CASE("the value of a square") {
  lessons::Draw draw("square");
  Mini m;
  const std::size_t a = m.leaf(drawn(draw, 2, 3)), y = square(m, a);
  m.run();
  lessons::expect("a^2", m.node[y].value(1, 2), std::pow(m.node[a].value(1, 2), 2), "element by element");
}

CASE("the gradient of a square") {
  lessons::Draw draw("square's gradient");
  Mini m;
  const std::size_t a = m.leaf(drawn(draw, 2, 3));
  check(m, square(m, a), a, "d a^2 / da", "the derivative of a^2 is 2 a");
}

CASE("a square in a chain") {
  lessons::Draw draw("chain");
  Mini m;
  const std::size_t a = m.leaf(drawn(draw, 2, 3));
  check(m, m.times(3, square(m, square(m, a))), a, "d 3 a^4 / da",
        "what arrived from above is a factor of what is handed down");
}

CASE("the value of a quotient") {
  lessons::Draw draw("quotient");
  Mini m;
  const std::size_t a = m.leaf(drawn(draw, 2, 3)), b = m.leaf(drawn(draw, 1, 3)), y = divide(m, a, b);
  m.run();
  lessons::expect("a / b", m.node[y].value(1, 2), m.node[a].value(1, 2) / m.node[b].value(0, 2), "b broadcasts");
}

CASE("the gradient of a quotient") {
  lessons::Draw draw("quotient's gradient");
  Mini m;
  const std::size_t a = m.leaf(drawn(draw, 2, 3)), b = m.leaf(drawn(draw, 2, 1));
  const std::size_t y = divide(m, a, b);
  check(m, y, a, "d (a / b) / da", "the derivative by a is 1 / b");
  check(m, y, b, "d (a / b) / db", "the greater b is, the smaller a / b");
}

}  // namespace exercise
