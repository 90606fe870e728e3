// From the fetch downwards, each value kept once it is known.
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <functional>
#include <map>
using namespace gradus;

namespace exercise {

using Given = std::function<double(const Expr&)>;

inline double value_of(const Expr& node, const Given& given, std::map<NodeId, double>& known) {
  if (const auto found = known.find(node.id()); found != known.end()) return found->second;
  double value = 0;
  if (node.kind() == Kind::constant) {
    value = constant_number(node).value();
  } else if (node.kind() != Kind::op) {
    value = given(node);
  } else {
    const double a = value_of(node.input(0), given, known), b = value_of(node.input(1), given, known);
    value = node.op().name() == "add" ? a + b : node.op().name() == "subtract" ? a - b : a * b;
  }
  return known[node.id()] = value;
}

inline double evaluate(Graph&, const Expr& fetch, const Given& given) {
  std::map<NodeId, double> known;
  return value_of(fetch, given, known);
}

}  // namespace exercise
