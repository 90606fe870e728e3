// Exercise 1: run a graph yourself.
//
// All values are numbers (shape []). node.kind() is Kind::op, Kind::constant, Kind::placeholder or Kind::variable. The
// ops are add, subtract and multiply, and node.op().name() says which; constant_number(node).value() is the value of a
// constant. `given` knows the value of a placeholder or a variable: ask it once for each that the fetch needs, and for
// no other.
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <functional>

#include "unsolved.h"
using namespace gradus;

namespace exercise {

using Given = std::function<double(const Expr&)>;

// Returns the value of `fetch`, a node of `g`.
inline double evaluate(Graph& g, const Expr& fetch, const Given& given) {
  return todo<double>("evaluate", g, fetch, given);
}

}  // namespace exercise
