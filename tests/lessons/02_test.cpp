// Hint 1: Keep one number for each entry: what has arrived there so far. With what does the last entry begin?
// Hint 2: When the walk downwards comes to entry i, all that read i have been met, so d[i] is complete. Hand it down to
//         both inputs, times the derivative of the op.
// Hint 3: d[a] += d[i] and d[b] += d[i] for a sum; for a product d[a] += d[i] * value of b, and d[b] += d[i] * value of
//         a. They may be the same entry.
#include "lesson_test.h"

namespace exercise {

inline Tape filled(Tape tape) {
  for (Entry& e : tape) {
    if (e.op == '+') e.value = tape[e.a].value + tape[e.b].value;
    if (e.op == '*') e.value = tape[e.a].value * tape[e.b].value;
  }
  return tape;
}

CASE("a sum") {
  lessons::Draw draw("a sum");
  const Tape tape = filled({{'v', 0, 0, draw.between(1, 9)}, {'v', 0, 0, draw.between(1, 9)}, {'+', 0, 1}});
  lessons::expect("dy/dy", reverse(tape)[2], 1, "with what does the last entry begin?");
  lessons::expect("d(a + b)/da", reverse(tape)[0], 1, "a sum hands down what it got");
}

CASE("a product") {
  lessons::Draw draw("a product");
  const double a = draw.between(2, 3), b = draw.between(4, 5);
  const std::vector<double> d = reverse(filled({{'v', 0, 0, a}, {'v', 0, 0, b}, {'*', 0, 1}}));
  lessons::expect("d(a * b)/da", d[0], b, "the derivative of a * b by a is b");
  lessons::expect("d(a * b)/db", d[1], a, "the derivative of a * b by b is a");
}

CASE("a diamond") {
  lessons::Draw draw("a diamond");
  const double a = draw.between(1, 3);
  const std::vector<double> d = reverse(filled({{'v', 0, 0, a}, {'+', 0, 0}, {'*', 1, 1}}));  // y = (a + a)^2
  lessons::expect("dy/da", d[0], 8 * a, "was something assigned that should be added?");
}

CASE("a chain") {
  lessons::Draw draw("a chain");
  const double a = draw.between(1, 2), b = draw.between(2, 3);
  const std::vector<double> d =
      reverse(filled({{'v', 0, 0, a}, {'v', 0, 0, b}, {'*', 0, 1}, {'+', 2, 1}, {'*', 3, 0}}));  // y = (a b + b) a
  lessons::expect("dy/da", d[0], 2 * a * b + b, "a is read twice, at two depths");
  lessons::expect("dy/db", d[1], a * a + a, "is what arrived multiplied by the op's own derivative?");
}

CASE("an entry that nobody reads") {
  lessons::Draw draw("nobody reads");
  const double a = draw.between(1, 2), b = draw.between(2, 3);
  const std::vector<double> d = reverse(filled({{'v', 0, 0, a}, {'v', 0, 0, b}, {'*', 0, 1}, {'+', 0, 0}}));
  lessons::expect("dy/db", d[1], 0, "what does not reach y has derivative 0");
  lessons::expect("dy/da", d[0], 2, "nothing came to a * b, so it hands nothing down");
}

CASE("forty doublings") {
  Tape tape = {{'v', 0, 0, 1}};
  for (std::size_t i = 0; i < 40; ++i) tape.push_back({'+', i, i});
  lessons::expect("dy/da", reverse(filled(tape))[0], std::pow(2.0, 40), "2^40 paths, but 41 entries to walk");
}

CASE("tapes that are drawn") {
  lessons::Draw draw("drawn");
  Tape tape;
  for (int i = 0; i < 4; ++i) tape.push_back({'v', 0, 0, draw.between(-1, 1)});
  for (int i = 4; i < 20; ++i)
    tape.push_back({draw.whole(0, 1) == 0 ? '+' : '*', static_cast<std::size_t>(draw.whole(0, i - 1)),
                    static_cast<std::size_t>(draw.whole(i / 2, i - 1))});
  const std::vector<double> d = reverse(filled(tape));
  for (std::size_t v = 0; v < 4; ++v) {
    Tape up = tape, down = tape;
    up[v].value += 1e-5;
    down[v].value -= 1e-5;
    const double difference = (filled(up).back().value - filled(down).back().value) / 2e-5;
    lessons::expect("dy/dv", d[v], difference, "the central difference says otherwise", 1e-6);
  }
}

}  // namespace exercise
