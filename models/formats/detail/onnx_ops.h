// The ops of ops.h in terms of ONNX' operators.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/models/formats/detail/onnx_graph.h>

#include <string>
#include <vector>

namespace gradus {

/// Adds what computes `node`, an op, from the values named `in`; the output of the last ONNX node is its value. False,
/// perhaps with nodes added, where opset 13 cannot say it.
bool add_op(OnnxGraph& onnx, const Expr& node, const std::vector<std::string>& in);

}  // namespace gradus
