#include <gradus/core/passes.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace gradus {

namespace {

// Each round makes a draft smaller or a rule's left side into its right side; a pair of rules that undo each other
// would be a mistake, and this a late way to find it.
constexpr int most_rounds = 40;

// Whether two drafts are the same but for nodes that no fetch needs.
bool same(const Draft& a, const Draft& b) {
  if (a.graph->size() != b.graph->size()) return false;
  for (NodeId id = 0; id < a.graph->size(); ++id) {
    const Expr x = (*a.graph)[id];
    const Expr y = (*b.graph)[id];
    if (&x.op() != &y.op() || x.arity() != y.arity()) return false;
    for (int i = 0; i < x.arity(); ++i)
      if (x.input(i).id() != y.input(i).id()) return false;
  }
  return true;
}

}  // namespace

std::span<const Pass> passes() {
  static constexpr std::array all{Pass{"fold_constants", fold_constants}, Pass{"simplify", simplify},
                                  Pass{"share_common_subexpressions", share_common_subexpressions}};
  return all;
}

Draft rewritten(Draft draft, std::span<const std::string> without) {
  std::vector<Pass> chosen;
  for (const Pass& pass : passes())
    if (std::find(without.begin(), without.end(), pass.name) == without.end()) chosen.push_back(pass);
  for (int round = 0; round < most_rounds && !chosen.empty(); ++round) {
    const Uses before(draft);
    std::optional<Rewriting> rewriting;
    Draft next = rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
      if (!rewriting) rewriting.emplace(Rewriting{to, {}, {}});
      Expr y = to.copy(node, inputs);
      for (const Pass& pass : chosen) y = pass.apply(y, *rewriting);
      rewriting->uses.add(y, before.of(node));
      return y;
    });
    const bool done = same(draft, next);
    draft = std::move(next);
    if (done) break;
  }
  return draft;
}

}  // namespace gradus
