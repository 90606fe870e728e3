// Exercise 2: the reverse walk.
//
// A tape is a graph of numbers: entry i is a value that is given ('v'), a sum or a product of two older entries.
#include <cstddef>
#include <vector>

#include "unsolved.h"

namespace exercise {

struct Entry {
  char op;  // 'v', '+' or '*'
  std::size_t a = 0, b = 0;
  double value = 0;  // known: the walk upwards is done
};
using Tape = std::vector<Entry>;

// Returns d last / d entry for every entry of the tape, walking downwards.
inline std::vector<double> reverse(const Tape& tape) { return todo<std::vector<double>>("reverse", tape); }

}  // namespace exercise
