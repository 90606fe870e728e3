// Promised: is the node needed?
#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <functional>
using namespace gradus;

namespace exercise {

using Given = std::function<double(const Expr&)>;

inline double evaluate(Graph& g, const Expr& fetch, const Given& given) {
  std::vector<double> value;
  for (NodeId id = 0; id < g.size(); ++id) {
    const Expr node = g[id];
    const auto in = [&](int i) { return value[static_cast<std::size_t>(node.input(i).id())]; };
    if (node.kind() == Kind::constant) {
      value.push_back(constant_number(node).value());
    } else if (node.kind() != Kind::op) {
      value.push_back(given(node));
    } else {
      const std::string_view op = node.op().name();
      value.push_back(op == "add" ? in(0) + in(1) : op == "subtract" ? in(0) - in(1) : in(0) * in(1));
    }
  }
  return value[static_cast<std::size_t>(fetch.id())];
}

}  // namespace exercise
