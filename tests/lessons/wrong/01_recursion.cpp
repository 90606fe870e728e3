// Promised: was a node that is read twice computed twice?
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <functional>
using namespace gradus;

namespace exercise {

using Given = std::function<double(const Expr&)>;

inline double evaluate(Graph& g, const Expr& fetch, const Given& given) {
  if (fetch.kind() == Kind::constant) return constant_number(fetch).value();
  if (fetch.kind() != Kind::op) return given(fetch);
  const double a = evaluate(g, fetch.input(0), given), b = evaluate(g, fetch.input(1), given);
  return fetch.op().name() == "add" ? a + b : fetch.op().name() == "subtract" ? a - b : a * b;
}

}  // namespace exercise
