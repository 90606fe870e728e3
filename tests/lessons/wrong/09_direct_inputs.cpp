// Promised: the fetch depends on what its inputs depend on
#include <gradus/gradus.h>
#include <string>
#include <vector>

using namespace gradus;

namespace exercise {

inline std::vector<std::string> idle_variables(Graph& g, const Expr& fetch) {
  std::vector<bool> needed(static_cast<std::size_t>(g.size()), false);
  needed[static_cast<std::size_t>(fetch.id())] = true;
  for (NodeId id = fetch.id(); id == fetch.id(); --id)
    for (int i = 0; needed[static_cast<std::size_t>(id)] && i < g[id].arity(); ++i)
      needed[static_cast<std::size_t>(g[id].input(i).id())] = true;
  std::vector<std::string> idle;
  for (const Expr& variable : g.variables())
    if (!needed[static_cast<std::size_t>(variable.id())]) idle.push_back(variable.name());
  return idle;
}

}  // namespace exercise
