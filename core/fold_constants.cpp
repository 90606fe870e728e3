#include <gradus/core/evaluate.h>
#include <gradus/core/nodes.h>
#include <gradus/core/passes.h>

namespace gradus {

namespace {

constexpr std::int64_t most_elements = 1024;  // a large constant costs more to keep than to compute

// A node of constants alone (those that lend their shape may be anything), with a small dense result.
bool foldable(const Expr& node, std::span<const Expr> inputs) {
  if (node.kind() != Kind::op || node.layout() != Layout::dense || node.op().is_random() ||
      node.shape().size() > most_elements)
    return false;
  for (int i = 0; i < node.arity(); ++i)
    if (node.op().reads(i) && constant_value(inputs[static_cast<std::size_t>(i)]) == nullptr) return false;
  return true;
}

}  // namespace

Draft fold_constants(const Draft& draft) {
  return rebuild(draft, [](const Expr& node, std::span<const Expr> inputs, Graph& to) {
    const Expr copy = to.copy(node, inputs);
    if (!foldable(node, inputs)) return copy;
    try {
      const Expr folded = to.constant(evaluate(copy), {}, node.where());
      to.show_as(folded, node.name());
      return folded;
    } catch (const Error&) {
      return copy;  // it is the run that divides by zero
    }
  });
}

}  // namespace gradus
