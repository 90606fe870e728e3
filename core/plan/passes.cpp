#include <gradus/core/plan/passes.h>

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
                                  Pass{"reassociate", reassociate},
                                  Pass{"share_common_subexpressions", share_common_subexpressions}};
  return all;
}

std::span<const PassName> pass_names() {
  static const std::vector<PassName> all = [] {
    std::vector<PassName> names;
    for (const Pass& pass : passes()) names.push_back({pass.name});
    names.insert(names.end(), {{storage_pass},
                               {tiles_pass, true, false},
                               {compile_pass, true, false},
                               {recomputing_pass},
                               {fusing_pass, false, true},
                               {recording_pass, false, true}});
    return names;
  }();
  return all;
}

namespace {

// The draft rebuilt, each node by all of the passes; `changed` if one of them found something.
Draft rebuilt(const Draft& draft, std::span<const Pass> chosen, bool& changed) {
  const DraftFacts before(draft);
  std::optional<Rewriting> rewriting;
  return rebuild(draft, [&](const Expr& node, std::span<const Expr> inputs, Graph& to) {
    if (!rewriting) rewriting.emplace(Rewriting{to, {}, {}});
    const Expr copy = to.copy(node, inputs);
    Expr y = copy;
    for (const Pass& pass : chosen) y = pass.apply(y, *rewriting);
    changed = changed || !same_node(y, copy);
    rewriting->facts.add_readers(y, before.readers(node));
    return y;
  });
}

}  // namespace

Draft rewritten(Draft draft, std::span<const std::string> without) {
  std::vector<Pass> chosen;
  for (const Pass& pass : passes())
    if (std::find(without.begin(), without.end(), pass.name) == without.end()) chosen.push_back(pass);
  bool changed = !chosen.empty();
  for (int round = 0; round < most_rounds && changed; ++round) {
    changed = false;
    draft = rebuilt(draft, chosen, changed);
  }
  return draft;
}

}  // namespace gradus
