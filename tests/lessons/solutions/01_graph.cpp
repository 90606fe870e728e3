#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <functional>
using namespace gradus;

namespace exercise {

using Given = std::function<double(const Expr&)>;

// [solution]
inline double evaluate(Graph& g, const Expr& fetch, const Given& given) {
  const auto count = static_cast<std::size_t>(fetch.id()) + 1;
  std::vector<bool> needed(count, false);
  needed.back() = true;
  for (NodeId id = fetch.id(); id >= 0; --id)  // downwards: who reads a node is younger than it
    for (int i = 0; needed[static_cast<std::size_t>(id)] && i < g[id].arity(); ++i)
      needed[static_cast<std::size_t>(g[id].input(i).id())] = true;

  std::vector<double> value(count);
  for (NodeId id = 0; id <= fetch.id(); ++id) {  // upwards: its inputs are older
    const Expr node = g[id];
    if (!needed[static_cast<std::size_t>(id)]) continue;
    const auto in = [&](int i) { return value[static_cast<std::size_t>(node.input(i).id())]; };
    double& result = value[static_cast<std::size_t>(id)];
    if (node.kind() == Kind::constant) {
      result = constant_number(node).value();
    } else if (node.kind() != Kind::op) {
      result = given(node);
    } else if (node.op().name() == "add") {
      result = in(0) + in(1);
    } else if (node.op().name() == "subtract") {
      result = in(0) - in(1);
    } else {
      result = in(0) * in(1);
    }
  }
  return value.back();
}
// [/]

}  // namespace exercise
