#include <gradus/models/formats/onnx.h>

#include <gradus/core/graph/op.h>
#include <gradus/core/io/file.h>
#include <gradus/models/formats/detail/onnx_ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace gradus {

namespace {

std::string place(const Expr& node) { return fmt::format("{} ({})", node.name(), to_string(node.where())); }

void check_names(std::span<const OnnxValue> inputs, std::span<const OnnxValue> outputs) {
  std::vector<std::string_view> names;
  for (const std::span<const OnnxValue> values : {inputs, outputs})
    for (const OnnxValue& value : values) {
      if (value.name.empty()) fail<TypeError>("write_onnx: an input or output has an empty name");
      if (std::find(names.begin(), names.end(), value.name) != names.end())
        fail<TypeError>("write_onnx: two inputs or outputs are named {}", value.name);
      names.push_back(value.name);
    }
}

void check(Session& session, std::span<const OnnxValue> inputs, std::span<const OnnxValue> outputs) {
  if (outputs.empty()) fail<TypeError>("write_onnx: there is no output");
  check_names(inputs, outputs);
  for (const std::span<const OnnxValue> values : {inputs, outputs})
    for (const OnnxValue& value : values)
      if (!value.value.belongs_to(session.graph().token()))
        fail<TypeError>("write_onnx: {} is not an expression of the session's graph", value.name);
  for (const OnnxValue& input : inputs) {
    const Expr& x = input.value;
    if (x.kind() != Kind::placeholder)
      fail<TypeError>("write_onnx: input {} is {}; a placeholder is expected", input.name, place(x));
    const Tensor& scale = input.column_scale;
    if (scale.size() == 0) continue;
    const Type expected{x.dtype(), x.rank() == 2 ? Shape{x.shape()[1]} : Shape(), Layout::dense};
    if (x.rank() != 2 || scale.type() != expected)
      fail<TypeError>("write_onnx: column_scale of {} is {} but {} is {}; a number for each column is expected",
                      input.name, to_string(scale.type()), place(x), to_string(x.type()));
  }
}

// Which nodes the outputs need; the walk goes down the ids and never comes back.
std::vector<bool> needed_for(std::span<const OnnxValue> outputs, Graph& graph) {
  std::vector<bool> needed(static_cast<std::size_t>(graph.size()));
  for (const OnnxValue& output : outputs) needed[static_cast<std::size_t>(output.value.id())] = true;
  for (NodeId id = graph.size() - 1; id >= 0; --id) {
    if (!needed[static_cast<std::size_t>(id)]) continue;
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) needed[static_cast<std::size_t>(node.input(i).id())] = true;
  }
  return needed;
}

}  // namespace

std::string to_onnx(Session& session, std::span<const OnnxValue> inputs, std::span<const OnnxValue> outputs) {
  check(session, inputs, outputs);
  Graph& graph = session.graph();
  OnnxGraph onnx;
  std::vector<std::string> name(static_cast<std::size_t>(graph.size()));  // of each node's value, in the model
  const auto name_of = [&](const Expr& node) -> std::string& { return name[static_cast<std::size_t>(node.id())]; };
  for (const OnnxValue& input : inputs) onnx.unique(input.name);
  for (const OnnxValue& output : outputs) onnx.unique(output.name);
  for (const OnnxValue& input : inputs) {
    onnx.input(input.name, input.value.type());
    name_of(input.value) = input.name;
    if (input.column_scale.size() > 0)
      name_of(input.value) = onnx.node("Mul", {input.name, onnx.initializer("column_scale", input.column_scale)}, {},
                                       fmt::format("{}_scaled", input.name));
  }

  const std::vector<bool> needed = needed_for(outputs, graph);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Expr node = graph[id];
    if (!needed[static_cast<std::size_t>(id)] || !name_of(node).empty()) continue;
    if (node.kind() == Kind::placeholder)
      fail<TypeError>("write_onnx: {} needs {}, which is not among the inputs", outputs[0].name, place(node));
    if (node.kind() == Kind::variable) {
      name_of(node) = onnx.initializer(node.name(), session.value(node));
    } else if (const Tensor* constant = constant_value(node)) {
      name_of(node) = onnx.initializer(node.name(), constant->to_dense());
    } else {
      std::vector<std::string> in;
      for (int i = 0; i < node.arity(); ++i) in.push_back(name_of(node.input(i)));
      if (node.kind() != Kind::op || !add_op(onnx, node, in))
        fail<TypeError>("write_onnx: {} {} has no equal in ONNX opset 13", node.op().name(), place(node));
      const auto output =
          std::find_if(outputs.begin(), outputs.end(), [&](const OnnxValue& o) { return same_node(o.value, node); });
      name_of(node) = output == outputs.end() ? onnx.unique(node.name()) : output->name;
      onnx.name_last(name_of(node));
    }
  }
  for (const OnnxValue& output : outputs) {
    if (name_of(output.value) != output.name) {
      onnx.node("Identity", {name_of(output.value)}, {}, "");
      onnx.name_last(output.name);
    }
    onnx.output(output.name, output.value.type());
  }
  return onnx.encoded();
}

void write_onnx(const std::string& path, Session& session, std::span<const OnnxValue> inputs,
                std::span<const OnnxValue> outputs) {
  const std::string model = to_onnx(session, inputs, outputs);
  write_file_atomically(path, std::as_bytes(std::span(model)));
}

}  // namespace gradus
