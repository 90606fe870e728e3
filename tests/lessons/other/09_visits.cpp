// A list of nodes to visit in place of the walk downwards.
#include <gradus/gradus.h>

#include <set>
#include <string>
#include <vector>

using namespace gradus;

namespace exercise {

inline std::vector<std::string> idle_variables(Graph& g, const Expr& fetch) {
  std::set<NodeId> visited;
  std::vector<Expr> to_visit{fetch};
  while (!to_visit.empty()) {
    const Expr node = to_visit.back();
    to_visit.pop_back();
    if (!visited.insert(node.id()).second) continue;
    for (int i = 0; i < node.arity(); ++i) to_visit.push_back(node.input(i));
  }
  std::vector<std::string> idle;
  for (const Expr& variable : g.variables())
    if (visited.count(variable.id()) == 0) idle.push_back(variable.name());
  return idle;
}

}  // namespace exercise
