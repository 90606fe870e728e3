// Promised: the derivative of a * b by a is b
#include <cstddef>
#include <vector>

namespace exercise {

struct Entry {
  char op;  // v, + or *
  std::size_t a = 0, b = 0;
  double value = 0;
};
using Tape = std::vector<Entry>;

inline std::vector<double> reverse(const Tape& tape) {
  std::vector<double> d(tape.size(), 0);
  d.back() = 1;
  for (std::size_t i = tape.size(); i-- > 0;) {
    const Entry& e = tape[i];
    if (e.op == 'v') continue;
    d[e.a] += d[i] * (e.op == '+' ? 1 : tape[e.a].value);
    d[e.b] += d[i] * (e.op == '+' ? 1 : tape[e.b].value);
  }
  return d;
}

}  // namespace exercise
