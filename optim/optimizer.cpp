// Everything the optimizers share: gradients, slots, and the group of assigns that is one step. What could go wrong
// is checked before the first node is made.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/gradients.h>
#include <gradus/optim/update.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

constexpr NodeId shared = -1;

// "w (main.cpp:14)".
std::string name_and_place(const Expr& expr) { return fmt::format("{} ({})", expr.name(), to_string(expr.where())); }

void require_variables(std::string_view where, std::span<const Expr> variables) {
  for (auto v = variables.begin(); v != variables.end(); ++v) {
    if (!v->valid() || v->kind() != Kind::variable) fail<TypeError>("{}: {} is not a variable", where, to_string(*v));
    if (std::any_of(variables.begin(), v, [&](const Expr& other) { return same_node(other, *v); }))
      fail<TypeError>("{}: the variable {} is named twice; once is expected, with the sum of its gradients", where,
                      name_and_place(*v));
  }
}

// The pair as the formulas want it: a gradient of the variable's shape.
GradientOf fitting(const GradientOf& pair) {
  const auto& [g, v] = pair;
  if (g.dtype() != v.dtype())
    fail<TypeError>("apply_gradients: the variable {} is {} but its gradient {} is {}; cast it", name_and_place(v),
                    to_string(v.dtype()), name_and_place(g), to_string(g.dtype()));
  if (!is_floating(v.dtype()))
    fail<TypeError>("apply_gradients: the variable {} is {}; float32 or float64 is expected", name_and_place(v),
                    to_string(v.dtype()));
  if (g.layout() == Layout::csr)
    fail<TypeError>("apply_gradients: the gradient {} of {} is csr; use to_dense", name_and_place(g), v.name());
  const bool equal = g.shape() == v.shape();
  if (!equal && (g.layout() != Layout::dense || !matches(g.shape(), v.shape())))
    fail<TypeError>("apply_gradients: the variable {} is {} but its gradient {} is {}", name_and_place(v),
                    to_string(v.shape()), name_and_place(g), to_string(g.shape()));
  // With dimensions unknown, the run checks them here; otherwise a [1] would broadcast.
  return equal ? pair : GradientOf{reshape(g, v.shape()), v};
}

void require_step_counter(const Expr& step, const Graph& graph) {
  if (&step.graph() != &graph || step.kind() != Kind::variable || step.dtype() != int64 || step.rank() != 0)
    fail<TypeError>("apply_gradients: the step is {}; an int64 scalar variable of the same graph is expected",
                    to_string(step));
}

}  // namespace

// --- Step ------------------------------------------------------------------------------------------------

Operand Optimizer::Step::Scalar::in(DType dtype) {
  const Expr expr = value_.expr();
  if (!expr.valid() || expr.dtype() == dtype) return value_;
  Expr& made = cast_[static_cast<std::size_t>(dtype)];
  if (!made.valid()) made = cast(expr, dtype);
  return made;
}

Operand Optimizer::Step::checked_rate(const Optimizer& optimizer, Graph& graph) {
  if (optimizer.rate_.number()) return optimizer.rate_;
  const Expr rate = optimizer.rate_.in(graph, float64, optimizer.name());
  if (!rate.valid() || &rate.graph() != &graph || !is_floating(rate.dtype()) || rate.rank() != 0 ||
      rate.layout() != Layout::dense)
    fail<TypeError>("{}: the learning rate is {}; a number or a floating scalar of the same graph is expected",
                    optimizer.name(), to_string(rate));
  return {rate, optimizer.rate_.where()};
}

Optimizer::Step::Step(Optimizer& optimizer, Graph& graph)
    : optimizer_(optimizer), graph_(graph), rate_(checked_rate(optimizer, graph)), size_(optimizer.step_size(*this)) {}

Expr Optimizer::Step::number() {
  if (number_.valid()) return number_;
  if (!optimizer_.known_slot(shared, "step").valid())
    optimizer_.counted_ = assign_add(optimizer_.keep_slot(shared, "step",
                                                          graph_.variable(fmt::format("{}/step", optimizer_.name()),
                                                                          zeros({}, int64), {.trainable = false})),
                                     1);
  assigns_.push_back(optimizer_.counted_);
  return number_ = cast(assigns_.back(), float64);
}

// --- Update ----------------------------------------------------------------------------------------------

Expr Optimizer::Update::slot(std::string_view name, double initial) const {
  const Expr& v = variable();
  Optimizer& optimizer = step_.optimizer_;
  if (const Expr slot = optimizer.known_slot(v.id(), name); slot.valid()) return slot;
  return optimizer.keep_slot(v.id(), name,
                             v.graph().variable(fmt::format("{}/{}/{}", v.name(), optimizer.name(), name),
                                                Filled{v.shape(), initial, v.dtype()}, {.trainable = false}));
}

Expr Optimizer::Update::set(const Expr& v, const Expr& value) const {
  step_.assigns_.push_back(v.graph().assign(v, value));
  return step_.assigns_.back();
}

// --- Optimizer -------------------------------------------------------------------------------------------

Optimizer::Optimizer(std::string_view name, Operand rate, Range range) : name_(name), rate_(std::move(rate)) {
  if (const std::optional<double> number = rate_.number()) require("the learning rate", *number, range);
}

void Optimizer::require(std::string_view option, double value, Range range) const {
  const auto expect = [&](bool fits, std::string_view numbers) {
    if (!fits || !std::isfinite(value))
      fail<ValueError>("{}: {} is {}; a number {} is expected", name_, option, value, numbers);
  };
  switch (range) {
    case Range::fraction: return expect(value >= 0 && value < 1, "in [0, 1)");
    case Range::at_least_0: return expect(value >= 0, "of at least 0");
    case Range::above_0: return expect(value > 0, "above 0");
    case Range::at_most_0: return expect(value <= 0, "of at most 0");
  }
}

Operand Optimizer::step_size(Step&) const { return rate_; }

Expr Optimizer::known_slot(NodeId variable, std::string_view name) const {
  const auto found = slots_.find(std::pair(variable, std::string(name)));
  if (found == slots_.end()) return {};
  return found->second;
}

Expr Optimizer::keep_slot(NodeId variable, std::string_view name, const Expr& made) {
  slots_.insert_or_assign(std::pair(variable, std::string(name)), made);
  return made;
}

Expr Optimizer::slot(const Expr& variable, std::string_view name) const {
  if (graph_.graph() == nullptr || (variable.valid() && !variable.belongs_to(graph_))) return {};
  return known_slot(variable.valid() ? variable.id() : shared, name);
}

std::vector<GradientOf> Optimizer::compute_gradients(const Expr& loss, std::vector<Expr> variables) {
  if (!loss.valid() || loss.rank() != 0 || !is_floating(loss.dtype()))
    fail<TypeError>("minimize: the loss is {}; a floating scalar is expected (reduce_mean or reduce_sum makes one)",
                    to_string(loss));
  if (variables.empty()) variables = loss.graph().trainable_variables();
  if (variables.empty()) fail<TypeError>("minimize: the graph of {} has no trainable variable", to_string(loss));
  require_variables("minimize", variables);
  const std::vector<Expr> dy = gradients(loss, variables);
  std::vector<GradientOf> pairs;
  for (std::size_t i = 0; i < variables.size(); ++i) pairs.push_back({dy[i], variables[i]});
  return pairs;
}

Expr Optimizer::apply_gradients(std::span<const GradientOf> gradients, const Expr& step, Location where) {
  if (gradients.empty()) fail<TypeError>("apply_gradients: the list is empty; there is no gradient to apply");
  std::vector<Expr> variables;
  for (const GradientOf& pair : gradients) variables.push_back(pair.variable);
  require_variables("apply_gradients", variables);

  Graph& graph = variables.front().graph();
  if (graph_.graph() == nullptr)
    slots_.clear();  // of a graph that has been destroyed
  else if (graph_ != graph.token())
    fail<TypeError>("{}: an optimizer keeps the slots of one graph; make another for the second", name());
  for (const auto& [g, v] : gradients) {
    if (!g.valid()) fail<TypeError>("apply_gradients: the variable {} has no gradient", name_and_place(v));
    if (&v.graph() != &graph || &g.graph() != &graph)
      fail<TypeError>("apply_gradients: {} belongs to another graph than {}",
                      name_and_place(&v.graph() != &graph ? v : g), name_and_place(variables.front()));
  }
  if (step.valid()) require_step_counter(step, graph);

  const Graph::Pin pin = graph.pin(where);
  std::vector<GradientOf> pairs;
  for (const GradientOf& pair : gradients) pairs.push_back(fitting(pair));
  graph_ = graph.token();
  Step made(*this, graph);
  for (const GradientOf& pair : pairs) {
    Update u(made, pair);
    update(u);
  }
  if (step.valid()) made.assigns_.push_back(assign_add(step, 1));
  return graph.group(made.assigns_, name(), where);
}

Expr Optimizer::minimize(const Expr& loss, const MinimizeOptions& options, Location where) {
  std::optional<Graph::Pin> pin;
  if (loss.valid()) pin.emplace(loss.graph(), where, false);
  return apply_gradients(compute_gradients(loss, options.variables), options.step, where);
}

}  // namespace gradus
