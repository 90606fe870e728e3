// Which variables a session stores transposed. The article's V is [k, p] and used as V^T alone: stored as [p, k], its
// rows lie together, and neither V nor its gradient is turned round in a step.
#pragma once

#include <gradus/core/plan/draft.h>

#include <vector>

namespace gradus {

/// The variables of a draft, as nodes of `graph`, that some of its nodes want transposed, with all others of the same
/// shape: an optimizer's slots go with what they belong to. None where that could not be: an assign that replaces rows
/// needs them as they are declared.
std::vector<Expr> wanted_transposed(const Draft& draft, Graph& graph, const std::vector<bool>& transposed);

/// Those that are stored transposed although an assign, perhaps made since, replaces rows of them.
std::vector<Expr> unfit_transposed(Graph& graph, const std::vector<bool>& transposed);

/// Elements that a draft's transposes move: what the relayouts of a run cost.
std::int64_t elements_relaid(const Draft& draft);

/// A node of the graph that transposes a matrix, to make others like it; no expression where there is none.
Expr transposing_node(Graph& graph);

}  // namespace gradus
