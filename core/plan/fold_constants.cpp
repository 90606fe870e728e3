#include <gradus/core/graph/nodes.h>
#include <gradus/core/kernel/evaluate.h>
#include <gradus/core/plan/passes.h>

#include <vector>

namespace gradus {

namespace {

constexpr std::int64_t most_elements = 1024;  // a large constant costs more to keep than to compute

// A node of constants alone (those that lend their shape may be anything), with a small dense result.
bool foldable(const Expr& y) {
  if (y.kind() != Kind::op || y.layout() != Layout::dense || y.op().traits().is_random ||
      y.shape().size() > most_elements)
    return false;
  for (int i = 0; i < y.arity(); ++i)
    if (y.op().reads(i) && constant_value(y.input(i)) == nullptr) return false;
  return true;
}

}  // namespace

Expr fold_constants(const Expr& y, Rewriting& rewriting) {
  if (!foldable(y)) return y;
  try {
    std::vector<const Tensor*> inputs;
    for (int i = 0; i < y.arity(); ++i) inputs.push_back(constant_value(y.input(i)));
    return rewriting.graph.constant(evaluate(y, inputs), y.name(), y.where());
  } catch (const Error&) {
    return y;  // it is the run that divides by zero
  }
}

}  // namespace gradus
