#include <gradus/models/formats/detail/onnx_graph.h>

#include <gradus/core/error.h>
#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <limits>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t ir_version = 7;  // of ONNX 1.8, which brought opset 13
constexpr std::int64_t opset = 13;

// Numbers of the fields, by message (onnx.proto).
namespace model_proto {
constexpr int ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8;
}
namespace opset_id_proto {
constexpr int version = 2;  // its domain, left out, is ONNX' own
}
namespace graph_proto {
constexpr int node = 1, name = 2, initializer = 5, input = 11, output = 12;
}
namespace node_proto {
constexpr int input = 1, output = 2, name = 3, op_type = 4, attribute = 5;
}
namespace attribute_proto {
constexpr int name = 1, i = 3, ints = 8, type = 20;
constexpr std::int64_t type_int = 2, type_ints = 7;
}  // namespace attribute_proto
namespace tensor_proto {
constexpr int dims = 1, data_type = 2, name = 8, raw_data = 9;
}
namespace value_info_proto {
constexpr int name = 1, type = 2;
}
namespace type_proto {
constexpr int tensor_type = 1;
constexpr int tensor_elem_type = 1, tensor_shape = 2;
}  // namespace type_proto
namespace tensor_shape_proto {
constexpr int dim = 1;
constexpr int dimension_value = 1, dimension_param = 2;
}  // namespace tensor_shape_proto

ProtobufMessage value_info(const std::string& name, const Type& type, bool is_input) {
  ProtobufMessage shape;
  for (int axis = 0; axis < type.shape.rank(); ++axis) {
    ProtobufMessage dim;  // left empty, it is unknown
    if (type.shape[axis] != any) {
      dim.integer(tensor_shape_proto::dimension_value, type.shape[axis]);
    } else if (is_input && axis == 0) {
      dim.bytes(tensor_shape_proto::dimension_param, "n");
    }
    shape.message(tensor_shape_proto::dim, dim);
  }
  ProtobufMessage tensor;
  tensor.integer(type_proto::tensor_elem_type, onnx_type(type.dtype));
  tensor.message(type_proto::tensor_shape, shape);
  ProtobufMessage of_tensor;
  of_tensor.message(type_proto::tensor_type, tensor);
  ProtobufMessage info;
  info.bytes(value_info_proto::name, name);
  info.message(value_info_proto::type, of_tensor);
  return info;
}

ProtobufMessage encoded_attribute(const OnnxAttribute& attribute) {
  ProtobufMessage message;
  message.bytes(attribute_proto::name, attribute.name);
  for (const std::int64_t value : attribute.values)
    message.integer(attribute.single ? attribute_proto::i : attribute_proto::ints, value);
  message.integer(attribute_proto::type, attribute.single ? attribute_proto::type_int : attribute_proto::type_ints);
  return message;
}

}  // namespace

std::int64_t onnx_type(DType dtype) {
  switch (dtype) {
    case DType::float64: return 11;
    case DType::int32: return 6;
    case DType::int64: return 7;
    case DType::boolean: return 9;
    case DType::float32: break;
  }
  return 1;
}

std::string OnnxGraph::unique(std::string_view name) {
  const std::string wanted = name.empty() ? "value" : valid_utf8(name);
  std::string free = wanted;
  for (int i = 2; !names_.insert(free).second; ++i) free = fmt::format("{}_{}", wanted, i);
  return free;
}

void OnnxGraph::input(const std::string& name, const Type& type) { inputs_.push_back(value_info(name, type, true)); }

void OnnxGraph::output(const std::string& name, const Type& type) { outputs_.push_back(value_info(name, type, false)); }

std::string OnnxGraph::initializer(std::string_view name, const Tensor& dense) {
  std::string called = unique(name);
  ProtobufMessage& tensor = initializers_.emplace_back();
  for (const std::int64_t dim : dense.shape()) tensor.integer(tensor_proto::dims, dim);
  tensor.integer(tensor_proto::data_type, onnx_type(dense.dtype()));
  tensor.bytes(tensor_proto::name, called);
  const std::size_t size = static_cast<std::size_t>(dense.stored()) * size_of(dense.dtype());
  tensor.bytes(tensor_proto::raw_data, {reinterpret_cast<const char*>(dense.data()), size});
  return called;
}

std::string OnnxGraph::node(std::string_view op, std::vector<std::string> inputs, std::vector<OnnxAttribute> attributes,
                            std::string_view name) {
  nodes_.push_back({op, std::move(inputs), unique(name), std::move(attributes)});
  return nodes_.back().output;
}

std::string OnnxGraph::encoded() const {
  ProtobufMessage graph;
  for (const Node& node : nodes_) {
    ProtobufMessage message;
    for (const std::string& input : node.inputs) message.bytes(node_proto::input, input);
    message.bytes(node_proto::output, node.output);
    message.bytes(node_proto::name, node.output);
    message.bytes(node_proto::op_type, node.op);
    for (const OnnxAttribute& attribute : node.attributes)
      message.message(node_proto::attribute, encoded_attribute(attribute));
    graph.message(graph_proto::node, message);
  }
  graph.bytes(graph_proto::name, "gradus");
  for (const ProtobufMessage& tensor : initializers_) graph.message(graph_proto::initializer, tensor);
  for (const ProtobufMessage& info : inputs_) graph.message(graph_proto::input, info);
  for (const ProtobufMessage& info : outputs_) graph.message(graph_proto::output, info);

  ProtobufMessage opset_id;
  opset_id.integer(opset_id_proto::version, opset);
  ProtobufMessage model;
  model.integer(model_proto::ir_version, ir_version);
  model.bytes(model_proto::producer_name, "gradus");
  model.bytes(model_proto::producer_version, GRADUS_VERSION);
  model.message(model_proto::opset_import, opset_id);
  model.message(model_proto::graph, graph);
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  if (model.encoded().size() > most)
    fail<ValueError>("write_onnx: the model takes {} bytes; an ONNX file holds at most {}", model.encoded().size(),
                     most);
  return model.encoded();
}

}  // namespace gradus
