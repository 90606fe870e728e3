// Each entry pulls its derivative from all that read it, instead of being given it.
#include <cstddef>
#include <vector>

namespace exercise {

struct Entry {
  char op;
  std::size_t a = 0, b = 0;
  double value = 0;
};
using Tape = std::vector<Entry>;

inline std::vector<double> reverse(const Tape& tape) {
  std::vector<double> d(tape.size(), 0);
  d.back() = 1;
  for (std::size_t i = tape.size() - 1; i-- > 0;)
    for (std::size_t reader = i + 1; reader < tape.size(); ++reader) {
      const Entry& e = tape[reader];
      if (e.op == 'v') continue;
      if (e.a == i) d[i] += d[reader] * (e.op == '*' ? tape[e.b].value : 1);
      if (e.b == i) d[i] += d[reader] * (e.op == '*' ? tape[e.a].value : 1);
    }
  return d;
}

}  // namespace exercise
