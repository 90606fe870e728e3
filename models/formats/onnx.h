// A part of a graph as an ONNX model, for any runtime that reads that format (onnx.ai; IR version 7, opset 13). The
// nodes that the outputs need become ONNX nodes, the values that a session holds for its variables become weights.
//
//   write_onnx("model.onnx", session, {{"X", X}}, {{"prediction", model.prediction}});
//
// A csr placeholder becomes a dense input: ONNX Runtime's products have no sparse one, and the zeros are only written
// out. A dimension that the graph leaves open stays open, so that a model takes batches of any size. What a run would
// check of its feeds a model does not: it takes a negative index of gather from the end.
#pragma once

#include <gradus/core/run/session.h>

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// What the model takes or gives, and how it is called there; names are unique and not empty.
struct OnnxValue {
  std::string name;
  Expr value;
  /// Of an input [n, p]: a row [p] of its dtype by which the model multiplies what it is given; none where it is empty.
  Tensor column_scale = {};
};

/// The bytes of the model. Throws TypeError, naming the node and its line, for an op that ONNX has no equal for, for a
/// placeholder that the outputs need and that is no input, and where inputs or outputs are not what they should be;
/// ValueError where the model exceeds the 2 GiB of a protobuf message.
std::string to_onnx(Session& session, std::span<const OnnxValue> inputs, std::span<const OnnxValue> outputs);
/// Writes to_onnx to a file, whole or not at all. Throws as it does, and IoError.
void write_onnx(const std::string& path, Session& session, std::span<const OnnxValue> inputs,
                std::span<const OnnxValue> outputs);
inline void write_onnx(const std::string& path, Session& session, std::initializer_list<OnnxValue> inputs,
                       std::initializer_list<OnnxValue> outputs) {
  write_onnx(path, session, std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
}

}  // namespace gradus
