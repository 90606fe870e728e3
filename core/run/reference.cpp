#include <gradus/core/run/reference.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/kernel/evaluate.h>
#include <gradus/core/plan/program.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>

namespace gradus {

namespace {

// The variable's new value: the one assigned or, where that holds some rows alone, the old one with these replaced.
Tensor assigned(const Tensor& old, const Tensor& value) {
  if (value.layout() == Layout::dense) return value;
  Tensor table = Tensor::uninitialized(old.type());
  const std::size_t bytes = size_of(old.dtype()) * static_cast<std::size_t>(old.stored());
  std::copy_n(old.data(), bytes, table.writable_data());
  const std::size_t rows = static_cast<std::size_t>(old.dim(0));
  if (rows > 0) scatter_rows(value.data(), value.index()->row, bytes / rows, table.writable_data());
  return table;
}

}  // namespace

Tensor Reference::value(const Expr& variable) {
  const auto [found, is_new] = variables_.try_emplace(variable_number(variable));
  if (is_new) found->second = static_cast<const VariableOp&>(variable.op()).initial().value(variable.name());
  return found->second;
}

std::vector<Tensor> Reference::run(std::span<const Expr> fetches, const Feeds& feeds) {
  std::vector<FedType> types;
  for (const Feed& feed : feeds) types.push_back(fed_type(feed.placeholder, feed.value));
  // A copy of the nodes that are needed, in which all types are known.
  const Program program = make_program(make_draft(fetches, types));
  std::vector<Tensor> values(program.nodes.size());
  for (std::size_t i = 0; i < feeds.size(); ++i)
    if (program.feeds[i] >= 0) values[at(program.feeds[i])] = feeds.begin()[i].value;

  std::vector<const ProgramNode*> assigns;
  for (std::size_t id = 0; id < program.nodes.size(); ++id) {
    const ProgramNode& node = program.nodes[id];
    if (!node.live) continue;  // it lends its shape to others
    switch (node.kind) {
      case Kind::placeholder:
      case Kind::group: break;
      case Kind::constant: values[id] = *constant_value(node.origin); break;
      case Kind::variable: values[id] = value(node.origin); break;
      case Kind::assign:
        values[id] = values[at(node.inputs[1])];
        assigns.push_back(&node);
        break;
      case Kind::op: {
        std::vector<const Tensor*> inputs;
        for (const int input : node.inputs)
          inputs.push_back(program.nodes[at(input)].live ? &values[at(input)] : nullptr);
        values[id] = evaluate(node.origin, inputs, runs_);
      }
    }
  }
  // All was read as it was before the run.
  std::map<std::size_t, Tensor> after;
  for (const ProgramNode* const node : assigns) {
    const Expr variable = program.nodes[at(node->inputs[0])].origin;
    after.emplace(variable_number(variable), assigned(value(variable), values[at(node->inputs[1])]));
  }
  for (auto& [number, tensor] : after) variables_[number] = tensor;
  ++runs_;

  std::vector<Tensor> results;
  for (const int fetch : program.fetches) results.push_back(values[at(fetch)]);
  return results;
}

}  // namespace gradus
