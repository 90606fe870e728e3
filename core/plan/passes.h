// The passes of the plan compiler that rewrite a draft. A draft is rebuilt node by node, in order, and each pass may
// put an equal expression in a node's place. They know no mathematics: what an op is worth rewriting to stands on its
// page (Op::simplified and its neighbours).
#pragma once

#include <gradus/core/plan/draft.h>
#include <gradus/core/plan/draft_facts.h>

#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace gradus {

/// What the passes know of the draft that is being built.
struct Rewriting {
  Graph& graph;
  DraftFacts facts;                                 // of its nodes; how many read one, by those of the old draft
  std::unordered_multimap<std::size_t, Expr> seen;  // its nodes so far, by what they compute
};

/// Computes now what depends on constants alone, where the result is small.
Expr fold_constants(const Expr& y, Rewriting& rewriting);
/// Puts what its op knows to be cheaper, and the same but for rounding, in a node's place.
Expr simplify(const Expr& y, Rewriting& rewriting);
/// The same with rules that regroup sums of products: what they give differs where a partial sum overflows.
Expr reassociate(const Expr& y, Rewriting& rewriting);
/// Puts a node that computes the same in a node's place.
Expr share_common_subexpressions(const Expr& y, Rewriting& rewriting);

struct Pass {
  std::string_view name;
  Expr (*apply)(const Expr& y, Rewriting& rewriting);
};

/// In the order in which each node meets them.
std::span<const Pass> passes();

// Those that are not for one node at a time: see store_transposed.h, schedule.h, form_kernels.h, recompute.h (on a
// device; look_up_again.h on the CPU), device_schedule.h and device_plan.h.
inline constexpr std::string_view storage_pass = "store_transposed";
inline constexpr std::string_view tiles_pass = "tiles";
inline constexpr std::string_view compile_pass = "compile";
inline constexpr std::string_view recomputing_pass = "recompute";
inline constexpr std::string_view fusing_pass = "fuse";
inline constexpr std::string_view recording_pass = "record";

struct PassName {
  std::string_view name;
  bool on_cpu = true, on_device = true;  // where plans have the pass
};
/// All passes of the plan compiler, those of passes() first.
std::span<const PassName> pass_names();

/// Rebuilds the draft with the passes, but for those named in `without`, until they find nothing more.
Draft rewritten(Draft draft, std::span<const std::string> without = {});

}  // namespace gradus
