// What a run does beside computing values, and in which order: a chapter of the index of ops (ops.h). A run reads every
// variable as it was before it, and assigns take effect when it ends; so there is no order to ask for but the one that
// values give: what comes after a step is an expression of the values that the step assigns.
#pragma once

#include <gradus/core/graph/graph.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// variable.assign(variable + delta), and - delta: the new value, seen by later runs.
Expr assign_add(const Expr& variable, const Operand& delta);
Expr assign_sub(const Expr& variable, const Operand& delta);

/// What `value` will be when `step`, an optimizer's step for example, has been run, which it is together with this:
///   Expr keep = g.assign(average, 0.99 * average + 0.01 * after(train, w));
/// The nodes between the variables that the step assigns and the value are made anew, on the assigned values. No
/// gradient flows to a variable of which the step assigns some rows. Throws TypeError where the step assigns nothing.
Expr after(const Expr& step, const Expr& value);

/// x, in a run that does all of `dependencies` as well: assigns, groups, Assert, Print. A view: it costs nothing.
Expr with_dependencies(std::span<const Expr> dependencies, const Operand& x);
inline Expr with_dependencies(std::initializer_list<Expr> dependencies, const Operand& x) {
  return with_dependencies(std::span(dependencies.begin(), dependencies.size()), x);
}

/// a where the bool scalar `pred` holds, else b; they broadcast. Where pred is fed, or follows from fed bool scalars
/// and constants, a plan is made for what it is, which computes that side alone (its gradient flows as zeros through
/// the other). Where pred depends on what the run computes, both sides are computed, as by `where`: a plan is a list of
/// loops that is decided before the run. Then an `if` of the program around two runs computes one. Two csr matrices of
/// one shape give a csr matrix.
Expr cond(const Operand& pred, const Operand& a, const Operand& b);

struct PrintOptions {
  std::string message = {};
  std::int64_t first_n = std::numeric_limits<std::int64_t>::max();  // in the session's first runs alone
  std::int64_t summarize = 3;                                       // elements of each that are shown
};
/// x; a run that computes it prints the message and the first stored elements of each of `data` as a line to std::cerr.
/// In a plan it stands alone: what comes before is computed whole, no loop goes across it, and on a GPU the run waits
/// for the data and is not recorded. (TensorFlow's names: `assert` is a macro.)
Expr Print(const Operand& x, std::span<const Expr> data, const PrintOptions& options = {});
inline Expr Print(const Operand& x, std::initializer_list<Expr> data, const PrintOptions& options = {}) {
  return Print(x, std::span(data.begin(), data.size()), options);
}

/// True; a run that computes it throws ValueError, with the message and the first elements of `data`, unless all of
/// `condition` hold; then no variable has changed. To be fetched, put in a group, or bound to a value:
/// with_dependencies({Assert(x > 0)}, log(x)). In a plan it is one step, which reads the condition: what that is made
/// of is computed whole, and on a GPU waited for, unless it follows from feeds that stay the same.
Expr Assert(const Operand& condition, std::span<const Expr> data = {}, std::string_view message = {},
            std::int64_t summarize = 3);
inline Expr Assert(const Operand& condition, std::initializer_list<Expr> data, std::string_view message = {},
                   std::int64_t summarize = 3) {
  return Assert(condition, std::span(data.begin(), data.size()), message, summarize);
}

}  // namespace gradus
