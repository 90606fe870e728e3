// The passes of the plan compiler that rewrite a draft: plain functions from draft to draft, a file each. They know no
// mathematics: what an op is worth rewriting to stands on its page (Op::simplified).
#pragma once

#include <gradus/core/draft.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Replaces each node by what its op knows to be equal and cheaper.
Draft simplify(const Draft& draft);
/// Computes now what depends on constants alone, where the result is small.
Draft fold_constants(const Draft& draft);
/// Makes one node of those that compute the same.
Draft share_common_subexpressions(const Draft& draft);

struct Pass {
  std::string_view name;
  Draft (*apply)(const Draft&);
};

/// In the order in which they are applied, again and again until none finds anything.
std::span<const Pass> passes();

/// Applies the passes but for those named in `without`. Throws ValueError for a name that is none.
Draft rewritten(Draft draft, std::span<const std::string> without = {});

}  // namespace gradus
