// Everything the optimizers share: gradients, slots, and the group of assigns that is one step.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/ops/gradients.h>
#include <gradus/optim/update.h>

#include <fmt/format.h>

namespace gradus {

Operand Optimizer::Update::rate() const {
  const Expr rate = optimizer_.rate_.expr();
  return rate && rate.dtype() != variable().dtype() ? Operand(cast(rate, variable().dtype())) : optimizer_.rate_;
}

Expr Optimizer::Update::slot(std::string_view name, double initial) const {
  Expr& slot = optimizer_.slots_[{variable().id(), std::string(name)}];
  if (!slot)
    slot = variable().graph().variable(fmt::format("{}/{}/{}", variable().name(), optimizer_.name(), name),
                                       full(variable().shape(), initial, variable().dtype()), {.trainable = false});
  return slot;
}

Expr Optimizer::Update::set(const Expr& v, const Expr& value) const {
  assigns_.push_back(v.graph().assign(v, value));
  return assigns_.back();
}

Expr Optimizer::slot(const Expr& variable, std::string_view name) const {
  const auto found = slots_.find({variable.id(), std::string(name)});
  return found == slots_.end() ? Expr() : found->second;
}

std::vector<GradientOf> Optimizer::compute_gradients(const Expr& loss, std::vector<Expr> variables) {
  if (loss.rank() != 0 || !is_floating(loss.dtype()))
    fail<TypeError>("minimize: the loss is {}; a floating scalar is expected (reduce_mean or reduce_sum makes one)",
                    to_string(loss));
  if (variables.empty()) variables = loss.graph().trainable_variables();
  if (variables.empty()) fail<TypeError>("minimize: the graph of {} has no trainable variable", to_string(loss));
  for (const Expr& v : variables)
    if (v.kind() != Kind::variable) fail<TypeError>("minimize: {} is not a variable", to_string(v));
  const std::vector<Expr> dy = gradients(loss, variables);
  std::vector<GradientOf> pairs;
  for (std::size_t i = 0; i < variables.size(); ++i) pairs.push_back({dy[i], variables[i]});
  return pairs;
}

Expr Optimizer::apply_gradients(std::span<const GradientOf> gradients, const Expr& step, Location where) {
  if (gradients.empty()) fail<TypeError>("apply_gradients: there is no gradient to apply");
  Graph& graph = gradients.front().variable.graph();
  if (graph_ != nullptr && graph_ != &graph)
    fail<TypeError>("{}: an optimizer keeps the slots of one graph; make another for the second", name());
  graph_ = &graph;
  const Graph::Pin pin = graph.pin(where);
  std::vector<Expr> assigns;
  for (const GradientOf& pair : gradients) {
    Update u(*this, pair, assigns);
    update(u);
  }
  if (step) assigns.push_back(assign_add(step, 1));
  return graph.group(assigns, name(), where);
}

Expr Optimizer::minimize(const Expr& loss, const MinimizeOptions& options, Location where) {
  const Graph::Pin pin = loss.graph().pin(where);
  return apply_gradients(compute_gradients(loss, options.variables), options.step, where);
}

}  // namespace gradus
