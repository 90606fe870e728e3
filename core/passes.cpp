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
    bool changed = false;
    std::optional<Rewriting> rewriting;
    Draft next = rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
      if (!rewriting) rewriting.emplace(Rewriting{to, {}, {}});
      const Expr copy = to.copy(node, inputs);
      Expr y = copy;
      for (const Pass& pass : chosen) y = pass.apply(y, *rewriting);
      changed = changed || y != copy;
      rewriting->uses.add(y, before.of(node));
      return y;
    });
    draft = std::move(next);
    if (!changed) break;
  }
  return draft;
}

}  // namespace gradus
