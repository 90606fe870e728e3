// Order, choice and what is seen of a run: each of these is an expression too.
#include <gradus/ops/control.h>

#include <gradus/core/at.h>
#include <gradus/core/device/device_call.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/table_rows.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

namespace gradus {

Expr assign_add(const Expr& variable, const Operand& delta) {
  const Graph::Pin pin = variable.graph().pin(delta.where());
  return variable.graph().assign(variable, add(variable, delta));
}

Expr assign_sub(const Expr& variable, const Operand& delta) {
  const Graph::Pin pin = variable.graph().pin(delta.where());
  return variable.graph().assign(variable, subtract(variable, delta));
}

namespace {

// Gives the output the pattern or the index of input i, on the CPU or an accelerator (Call or DeviceCall): where the
// input's numbers lie.
template <class AnyCall>
std::span<const std::byte> pass_layout(AnyCall& call, int i) {
  const Value& x = call.in(i);
  if (x.type.layout == Layout::csr) {
    call.set_pattern(x.pattern);
    call.out().ones = x.ones;
  } else if (holds_rows(x.type)) {
    call.set_index(x.index);
  }
  return {x.data, static_cast<std::size_t>(x.stored) * size_of(x.type.dtype)};
}

// --- after, with_dependencies ------------------------------------------------------------------------------

// A table some of whose rows are replaced by those of a part. Inputs: table [p, ...], part [p, ...].
class RowsReplaced final : public Op {
 public:
  std::string_view name() const override { return "rows_replaced"; }
  Type infer(const OpInputs& in) const override { return in[0]; }
  std::string_view no_gradient(int) const override { return "it reads a variable after an update of some rows"; }

  void compute(Call& call) const override {
    const Value& table = call.in(0);
    std::copy_n(table.data, bytes_of(table), call.out().data);
    const std::size_t row = bytes_of_row(table);
    scatter_rows(call.in(1).data, call.in(1).held_rows(), row, call.out().data);
  }
  void launch(DeviceCall& call) const override {
    const Value& table = call.in(0);
    const Value& part = call.in(1);
    call.accelerator().copy(call.out().data, table.data, static_cast<std::int64_t>(bytes_of(table)));
    if (part.stored > 0)
      call.launch({"rows_replaced", text, using_type(table.type.dtype)}, grid_for(part.stored), part.data,
                  call.held_rows(part), call.out().data, part.stored, table.row_size());
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* part, const int* row, T* y, gr_int64 n, gr_int64 width) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) y[row[i / width] * width + i % width] = part[i];
}
)cuda";

  static std::size_t bytes_of(const Value& table) {
    return static_cast<std::size_t>(table.stored) * size_of(table.type.dtype);
  }
  static std::size_t bytes_of_row(const Value& table) {
    return static_cast<std::size_t>(table.row_size()) * size_of(table.type.dtype);
  }
};

class WithDependencies final : public Op {
 public:
  std::string_view name() const override { return "with_dependencies"; }
  Type infer(const OpInputs& in) const override { return in[0]; }
  Traits traits() const override { return {.takes_any_rank = true, .takes_rows_gradient = true, .rows_from = 0}; }
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }
  std::string_view no_gradient(int i) const override { return i == 0 ? "" : "it is computed for what it does"; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }
};

// Which variables are assigned in a run of `step`, and the assigns.
std::map<NodeId, Expr> assigned_by(const Expr& step) {
  Graph& graph = step.graph();
  std::map<NodeId, Expr> assigned;
  std::vector<bool> needed(at(step.id()) + 1, false);
  needed[at(step.id())] = true;
  for (NodeId id = step.id(); id >= 0; --id) {
    if (!needed[at(id)]) continue;
    const Expr node = graph[id];
    if (node.kind() == Kind::assign) assigned.emplace(node.input(0).id(), node);
    for (int i = 0; i < node.arity(); ++i) needed[at(node.input(i).id())] = true;
  }
  if (assigned.empty()) fail<TypeError>("after: {} assigns no variable", to_string(step));
  return assigned;
}

}  // namespace

Expr after(const Expr& step, const Expr& value) {
  Graph& graph = step.graph();
  if (&value.graph() != &graph)
    fail<TypeError>("after: {} and {} belong to different graphs", to_string(step), to_string(value));
  const std::map<NodeId, Expr> assigned = assigned_by(step);
  std::vector<bool> needed(at(value.id()) + 1, false);
  needed[at(value.id())] = true;
  for (NodeId id = value.id(); id >= 0; --id) {
    // An assign among what the value is made of stays what it is.
    if (!needed[at(id)] || graph[id].kind() == Kind::assign) continue;
    for (int i = 0; i < graph[id].arity(); ++i) needed[at(graph[id].input(i).id())] = true;
  }
  std::vector<Expr> made(needed.size());
  for (NodeId id = 0; id <= value.id(); ++id) {
    if (!needed[at(id)]) continue;
    const Expr node = graph[id];
    made[at(id)] = node;
    if (const auto found = assigned.find(id); found != assigned.end()) {
      const Expr& assign = found->second;
      made[at(id)] =
          assign.layout() == Layout::part ? gradus::apply(std::make_shared<RowsReplaced>(), {node, assign}) : assign;
    }
    if (node.kind() == Kind::assign) continue;
    std::vector<Expr> inputs;
    bool other = false;
    for (int i = 0; i < node.arity(); ++i) {
      inputs.push_back(made[at(node.input(i).id())]);
      other = other || !same_node(inputs.back(), node.input(i));
    }
    if (other) made[at(id)] = graph.copy(node, inputs);
  }
  return with_dependencies({step}, made[at(value.id())]);
}

Expr with_dependencies(std::span<const Expr> dependencies, const Operand& x) {
  const Expr expr = require_expr("with_dependencies", x);
  if (dependencies.empty()) return identity(x);
  std::vector<Operand> inputs{Operand(expr, x.where())};
  for (const Expr& dependency : dependencies) inputs.emplace_back(dependency, x.where());
  return gradus::apply(std::make_shared<WithDependencies>(), std::span<const Operand>(inputs));
}

// --- cond --------------------------------------------------------------------------------------------------

namespace {

// One of two csr matrices, with its pattern. Inputs: the bool, a, b. (Elementwise ops have one pattern for all runs.)
class CondOfCsr final : public Op {
 public:
  std::string_view name() const override { return "cond"; }

  Type infer(const OpInputs& in) const override {
    if (in[1].layout != Layout::csr || in[2].layout != Layout::csr)
      fail<TypeError>("cond: a is {} but b is {}; both must be csr, or neither: to_dense(x) is dense", in.layout(1),
                      in.layout(2));
    if (in[1].dtype != in[2].dtype)
      fail<TypeError>("cond: a is {} but b is {}; cast one of them", in.dtype(1), in.dtype(2));
    if (!may_agree(in[1].shape, in[2].shape))
      fail<TypeError>("cond: a is csr {} but b is {}; they must agree", in.shape(1), in.shape(2));
    Shape shape = in[1].shape;
    for (int axis = 0; axis < 2; ++axis)
      if (shape[axis] == any) shape = shape.with(axis, in[2].shape[axis]);
    return {in[1].dtype, shape, Layout::csr};
  }
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    const auto holds = constant_number(y.input(0));
    return holds ? y.input(*holds != 0 ? 1 : 2) : Expr();
  }
  // d cond(p, a, b) = da where p holds; else 0, with the non-zeros of a
  Expr gradient(const Expr& y, const Expr& dy, int i) const override {
    const Expr none = zeros_like(y.input(i));
    return i == 1 ? cond(y.input(0), dy, none) : cond(y.input(0), none, dy);
  }
  std::string_view no_gradient(int i) const override { return i == 0 ? "the condition is bool" : ""; }

  void compute(Call& call) const override {
    const std::span<const std::byte> x = pass_layout(call, *call.in<bool>(0) ? 1 : 2);
    std::copy(x.begin(), x.end(), call.out().data);
  }
  void launch(DeviceCall& call) const override {
    const std::span<const std::byte> x = pass_layout(call, call.numbers(0)[0] != std::byte{0} ? 1 : 2);
    if (!x.empty()) call.accelerator().copy(call.out().data, x.data(), static_cast<std::int64_t>(x.size()));
  }
};

}  // namespace

Expr cond(const Operand& pred, const Operand& a, const Operand& b) {
  const Expr known = pred.expr().valid() ? pred.expr() : a.expr().valid() ? a.expr() : require_expr("cond", b, "b");
  const Graph::Pin pin = known.graph().pin(pred.where());
  const Expr condition = pred.in(known.graph(), boolean, "cond");
  if (condition.dtype() != boolean || condition.rank() != 0)
    fail<TypeError>("cond: pred is {}; a bool scalar is expected, and where() selects element by element",
                    to_string(condition));
  const auto is_csr = [](const Operand& x) { return x.expr().valid() && x.expr().layout() == Layout::csr; };
  return is_csr(a) || is_csr(b) ? gradus::apply(std::make_shared<CondOfCsr>(), {condition, a, b})
                                : where(condition, a, b);
}

// --- Print, Assert -----------------------------------------------------------------------------------------

namespace {

// "[1 2 3...]": the first stored elements, which are on the host.
std::string first_elements(DType dtype, std::span<const std::byte> numbers, std::int64_t stored,
                           std::int64_t summarize) {
  return dispatch(dtype, [&]<class T>(TypeTag<T>) {
    const T* const element = reinterpret_cast<const T*>(numbers.data());
    std::string text = "[";
    for (std::int64_t i = 0; i < std::min(stored, summarize); ++i)
      text += fmt::format("{}{}", i > 0 ? " " : "", element[i]);
    return text + (stored > summarize ? "...]" : "]");
  });
}

std::span<const std::byte> numbers_of(Call& call, int i) {
  const Value& x = call.in(i);
  return {x.data, static_cast<std::size_t>(x.stored) * size_of(x.type.dtype)};
}
std::span<const std::byte> numbers_of(DeviceCall& call, int i) { return call.numbers(i); }

// All inputs but the first.
template <class AnyCall>
std::string shown(AnyCall& call, std::int64_t summarize, bool named) {
  std::string text;
  for (int i = 1; i < call.arity(); ++i) {
    const Value& x = call.in(i);
    if (named) text += fmt::format("; {} is ", call.source(i));
    text += first_elements(x.type.dtype, numbers_of(call, i), x.stored, summarize);
  }
  return text;
}

class PrintNode final : public Op {
 public:
  explicit PrintNode(PrintOptions options) : options_(std::move(options)) {}

  std::string_view name() const override { return "Print"; }
  Attributes attributes() const override { return {{"message", options_.message}}; }
  // Random, for each run's is to be seen.
  Traits traits() const override {
    return {.takes_any_rank = true,
            .takes_rows_gradient = true,
            .is_random = true,
            .rows_from = 0,
            .touches_as_input = true};
  }
  Type infer(const OpInputs& in) const override { return in[0]; }
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }
  std::string_view no_gradient(int i) const override { return i == 0 ? "" : "it is only printed"; }

  void compute(Call& call) const override {
    print(call);
    const std::span<const std::byte> x = pass_layout(call, 0);
    std::copy(x.begin(), x.end(), call.out().data);
  }
  void launch(DeviceCall& call) const override {
    print(call);
    const std::span<const std::byte> x = pass_layout(call, 0);
    if (!x.empty()) call.accelerator().copy(call.out().data, x.data(), static_cast<std::int64_t>(x.size()));
  }

 private:
  template <class AnyCall>
  void print(AnyCall& call) const {
    if (call.run >= static_cast<std::uint64_t>(options_.first_n)) return;
    std::cerr << options_.message + shown(call, options_.summarize, false) + "\n";
  }

  PrintOptions options_;
};

// Inputs: the condition, what is shown. True, where it does not throw.
class AssertNode final : public Op {
 public:
  AssertNode(std::string_view message, std::int64_t summarize) : message_(message), summarize_(summarize) {}

  std::string_view name() const override { return "Assert"; }
  Attributes attributes() const override { return {{"message", message_}, {"summarize", summarize_}}; }
  Traits traits() const override { return {.takes_any_rank = true}; }
  std::string_view no_gradient(int) const override { return "it gives no number"; }

  Type infer(const OpInputs& in) const override {
    if (in[0].dtype != boolean)
      fail<TypeError>("Assert: condition is {}; it must be bool, which comparisons give", in.dtype(0));
    require_dense(name(), in, 0, "condition");
    return {boolean, {}, Layout::dense};
  }

  void compute(Call& call) const override {
    check(call);
    *call.out<bool>() = true;
  }
  void launch(DeviceCall& call) const override {
    if (!call.unchanged(0)) check(call);
    fill(call, call.out().data, boolean, 1, true);
  }

 private:
  template <class AnyCall>
  void check(AnyCall& call) const {
    const std::span<const std::byte> holds = numbers_of(call, 0);
    if (std::find(holds.begin(), holds.end(), std::byte{0}) == holds.end()) return;
    fail<ValueError>("Assert: {} does not hold{}{} ({})", call.source(0), message_.empty() ? "" : ": " + message_,
                     shown(call, summarize_, true), to_string(call.node.where()));
  }

  std::string message_;
  std::int64_t summarize_;
};

std::vector<Operand> with_data(const Operand& first, std::span<const Expr> data) {
  std::vector<Operand> inputs{first};
  for (const Expr& shown : data) inputs.emplace_back(shown, first.where());
  return inputs;
}

}  // namespace

Expr Print(const Operand& x, std::span<const Expr> data, const PrintOptions& options) {
  return gradus::apply(std::make_shared<PrintNode>(options), std::span<const Operand>(with_data(x, data)));
}

Expr Assert(const Operand& condition, std::span<const Expr> data, std::string_view message, std::int64_t summarize) {
  return gradus::apply(std::make_shared<AssertNode>(message, summarize),
                       std::span<const Operand>(with_data(condition, data)));
}

}  // namespace gradus
