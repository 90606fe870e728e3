// An ONNX graph as it grows: nodes of one output, initializers, inputs and outputs, each known by a name of its own;
// then its bytes, a ModelProto of IR version 7 and opset 13. It knows the format and no op's meaning.
#pragma once

#include <gradus/core/tensor/tensor.h>
#include <gradus/models/formats/detail/protobuf.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace gradus {

/// An attribute of a node: an integer, or several.
struct OnnxAttribute {
  OnnxAttribute(std::string_view attribute, std::int64_t value) : name(attribute), values{value}, single(true) {}
  OnnxAttribute(std::string_view attribute, std::vector<std::int64_t> list)
      : name(attribute), values(std::move(list)), single(false) {}

  std::string_view name;
  std::vector<std::int64_t> values;
  bool single;
};

/// The number that ONNX has for a dtype (TensorProto.DataType).
std::int64_t onnx_type(DType dtype);

class OnnxGraph {
 public:
  /// The name, or where that is taken or empty, one like it; taken from now on.
  std::string unique(std::string_view name);

  void input(const std::string& name, const Type& type);
  void output(const std::string& name, const Type& type);
  /// A constant; gives its name.
  std::string initializer(std::string_view name, const Tensor& dense);
  /// A node; gives the name of its output, which is like `name`.
  std::string node(std::string_view op, std::vector<std::string> inputs, std::vector<OnnxAttribute> attributes,
                   std::string_view name);
  /// Calls the output of the last node what it should be; nothing may have read it yet.
  void name_last(const std::string& name) { nodes_.back().output = name; }

  /// The model's bytes. Throws ValueError where they are more than a protobuf message may have.
  std::string encoded() const;

 private:
  struct Node {
    std::string_view op;
    std::vector<std::string> inputs;
    std::string output;
    std::vector<OnnxAttribute> attributes;
  };

  std::vector<Node> nodes_;
  std::vector<ProtobufMessage> inputs_;
  std::vector<ProtobufMessage> outputs_;
  std::vector<ProtobufMessage> initializers_;
  std::unordered_set<std::string> names_;
};

}  // namespace gradus
