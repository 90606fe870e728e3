// How each op is written in ONNX (onnx.ai/onnx/operators, opset 13): by the op that does the same, or by a rule of a
// few.
#include <gradus/models/formats/detail/onnx_ops.h>

#include <gradus/core/graph/op.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <limits>
#include <utility>

namespace gradus {

namespace {

// The node at hand, and how its inputs are called in the model. Its ONNX nodes are added one after the other; the last
// one's output is the node's.
struct Export {
  OnnxGraph& onnx;
  Expr node;
  const std::vector<std::string>& in;

  std::string add(std::string_view op, std::vector<std::string> inputs,
                  std::vector<OnnxAttribute> attributes = {}) const {
    return onnx.node(op, std::move(inputs), std::move(attributes), fmt::format("{}/{}", node.name(), op));
  }
  std::string numbers(std::string_view name, const std::vector<std::int64_t>& values) const {
    return onnx.initializer(name, Tensor::from(values));
  }
  std::string number(std::string_view name, double value) const {
    return onnx.initializer(name, Tensor(value, node.input(node.arity() - 1).dtype()));
  }
  std::string shape_of(int i) const { return add("Shape", {in[static_cast<std::size_t>(i)]}); }
};

// Ops that ONNX has itself: the same operands in the same order, the same broadcasting.
constexpr std::pair<std::string_view, std::string_view> same_ops[] = {
    {"add", "Add"},
    {"subtract", "Sub"},
    {"multiply", "Mul"},
    {"divide", "Div"},
    {"pow", "Pow"},
    {"maximum", "Max"},
    {"minimum", "Min"},
    {"negative", "Neg"},
    {"abs", "Abs"},
    {"sign", "Sign"},
    {"exp", "Exp"},
    {"log", "Log"},
    {"sqrt", "Sqrt"},
    {"reciprocal", "Reciprocal"},
    {"sigmoid", "Sigmoid"},
    {"tanh", "Tanh"},
    {"relu", "Relu"},
    {"softplus", "Softplus"},
    {"softsign", "Softsign"},
    {"sin", "Sin"},
    {"cos", "Cos"},
    {"tan", "Tan"},
    {"erf", "Erf"},
    {"floor", "Floor"},
    {"ceil", "Ceil"},
    {"round", "Round"},
    {"equal", "Equal"},
    {"less", "Less"},
    {"less_equal", "LessOrEqual"},
    {"greater", "Greater"},
    {"greater_equal", "GreaterOrEqual"},
    {"logical_and", "And"},
    {"logical_or", "Or"},
    {"logical_not", "Not"},
    {"isnan", "IsNaN"},
    {"where", "Where"},
    {"identity", "Identity"},
    {"stop_gradient", "Identity"},
    {"to_dense", "Identity"},  // in the model all is dense
    {"to_csr", "Identity"},
    {"shape_of", "Shape"},
    {"size_of", "Size"},
    {"range", "Range"},
};

// Ops that a few of ONNX' make together. Each gives false where this node has none.
using Rule = bool (*)(const Export&);

bool export_matmul(const Export& e) {
  const Attributes told = e.node.op().attributes();
  std::vector<std::string> factors;
  for (int i = 0; i < 2; ++i) {
    std::string factor = e.in[static_cast<std::size_t>(i)];
    if (told.has(i == 0 ? "transpose_a" : "transpose_b")) {
      std::vector<std::int64_t> perm;
      for (int axis = 0; axis < e.node.input(i).rank(); ++axis) perm.push_back(axis);
      std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
      factor = e.add("Transpose", {factor}, {{"perm", perm}});
    }
    factors.push_back(factor);
  }
  e.add("MatMul", factors);
  return true;
}

bool export_transpose(const Export& e) {
  std::vector<std::int64_t> perm = e.node.op().attributes().numbers("perm");
  for (std::int64_t axis = e.node.rank(); perm.size() < static_cast<std::size_t>(e.node.rank());)
    perm.push_back(--axis);  // reversed, where none is told
  e.add("Transpose", e.in, {{"perm", perm}});
  return true;
}

// A view under another shape, of which ONNX works out one dimension. In opset 13 a 0 stands for another dimension.
bool export_view(const Export& e) {
  std::vector<std::int64_t> dims(e.node.shape().begin(), e.node.shape().end());
  if (std::count(dims.begin(), dims.end(), any) > 1 || std::count(dims.begin(), dims.end(), 0) > 0) return false;
  e.add("Reshape", {e.in[0], e.numbers("shape", dims)});
  return true;
}

bool export_reshape_like(const Export& e) {
  if (e.node.shape().known()) return export_view(e);
  e.add("Reshape", {e.in[0], e.shape_of(1)});
  return true;
}

bool export_broadcast_to(const Export& e) {
  const std::vector<std::int64_t> dims(e.node.shape().begin(), e.node.shape().end());
  e.add("Expand", {e.in[0], e.numbers("shape", dims)});
  return true;
}

bool export_broadcast_like(const Export& e) {
  e.add("Expand", {e.in[0], e.shape_of(1)});
  return true;
}

bool export_zeros_like(const Export& e) {
  e.add("Expand", {e.number("zero", 0), e.shape_of(0)});
  return true;
}

bool export_zeros(const Export& e) {
  const std::string zero = e.onnx.initializer("zero", Tensor(0, e.node.dtype()));
  e.add("Expand", {zero, e.add("Cast", e.in, {{"to", onnx_type(int64)}})});
  return true;
}

bool export_ones_like(const Export& e) {
  e.add("Expand", {e.number("one", 1), e.shape_of(0)});
  return true;
}

bool reduce(const Export& e, std::string_view op, bool axes_are_input) {
  const Attributes told = e.node.op().attributes();
  const std::vector<std::int64_t> axes = told.numbers("axes");
  const OnnxAttribute keep{"keepdims", told.has("keep_dims") ? 1 : 0};
  if (axes.empty()) {
    e.add("Identity", e.in);
  } else if (axes_are_input) {
    e.add(op, {e.in[0], e.numbers("axes", axes)}, {keep});
  } else {
    e.add(op, e.in, {{"axes", axes}, keep});
  }
  return true;
}

bool export_concat(const Export& e) {
  e.add("Concat", e.in, {{"axis", e.node.op().attributes().numbers("axis").at(0)}});
  return true;
}

bool export_gather(const Export& e) {
  if (e.node.op().attributes().has("batch_dims")) return false;
  const std::vector<std::int64_t> axis = e.node.op().attributes().numbers("axis");
  e.add("Gather", e.in, {{"axis", axis.empty() ? 0 : axis[0]}});
  return true;
}

// Which columns stand in which group, as the op itself says of a row of ones; then row i under group g is row i times
// that mask's row g.
bool export_split_rows(const Export& e) {
  const Type& x = e.node.input(0).type();
  Graph graph;
  const Expr probe = graph.sparse_placeholder("ones", {1, x.shape[1]}, x.dtype);
  const Expr split = graph.copy(e.node, std::array{probe});
  Session session(graph);
  const Tensor mask = session.run(split, {{probe, ones({1, x.shape[1]}, x.dtype).to_csr()}}).to_dense();
  const std::string rows = e.add("Reshape", {e.in[0], e.numbers("shape", {-1, 1, x.shape[1]})});
  const std::string masked = e.add("Mul", {rows, e.onnx.initializer("groups", mask)});
  e.add("Reshape", {masked, e.numbers("shape", {-1, x.shape[1]})});
  return true;
}

bool export_slice(const Export& e) {
  const Attributes told = e.node.op().attributes();
  const std::vector<std::int64_t> begin = told.numbers("begin");
  const std::vector<std::int64_t> size = told.numbers("size");
  std::vector<std::int64_t> end, axes;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    axes.push_back(static_cast<std::int64_t>(i));
    end.push_back(size[i] == -1 ? std::numeric_limits<std::int64_t>::max() : begin[i] + size[i]);
  }
  if (axes.empty()) {
    e.add("Identity", e.in);
    return true;
  }
  e.add("Slice", {e.in[0], e.numbers("begin", begin), e.numbers("end", end), e.numbers("axes", axes)});
  return true;
}

bool export_tile(const Export& e) {
  e.add("Tile", {e.in[0], e.numbers("multiples", e.node.op().attributes().numbers("multiples"))});
  return true;
}

bool export_cumsum(const Export& e) {
  const Attributes told = e.node.op().attributes();
  const std::int64_t axis = told.numbers("axis").at(0);
  e.add("CumSum", {e.in[0], e.onnx.initializer("axis", Tensor(static_cast<double>(axis), int64))},
        {{"exclusive", told.has("exclusive") ? 1 : 0}, {"reverse", told.has("reverse") ? 1 : 0}});
  return true;
}

// A view that checks its sizes against another operand's (einsum, dot, outer): the model has no such check, so they
// must be known to agree.
bool export_checked(const Export& e) {
  if (!e.node.op().reads(0) || e.node.op().reads(1) || !e.node.input(0).shape().known() ||
      !e.node.input(1).shape().known())
    return false;
  e.add("Identity", {e.in[0]});
  return true;
}

constexpr std::pair<std::string_view, Rule> rules[] = {
    {"matmul", export_matmul},
    {"transpose", export_transpose},
    {"reshape", export_view},
    {"expand_dims", export_view},
    {"squeeze", export_view},
    {"reshape_like", export_reshape_like},
    {"broadcast_to", export_broadcast_to},
    {"fill", export_broadcast_to},
    {"broadcast_like", export_broadcast_like},
    {"zeros_like", export_zeros_like},
    {"zeros", export_zeros},
    {"ones_like", export_ones_like},
    {"concat", export_concat},
    {"gather", export_gather},
    {"split_rows", export_split_rows},
    {"slice", export_slice},
    {"tile", export_tile},
    {"cumsum", export_cumsum},
    {"einsum", export_checked},
    {"dot", export_checked},
    {"outer", export_checked},
    {"reduce_sum", [](const Export& e) { return reduce(e, "ReduceSum", true); }},
    {"reduce_mean", [](const Export& e) { return reduce(e, "ReduceMean", false); }},
    {"reduce_max", [](const Export& e) { return reduce(e, "ReduceMax", false); }},
    {"reduce_min", [](const Export& e) { return reduce(e, "ReduceMin", false); }},
    {"reduce_prod", [](const Export& e) { return reduce(e, "ReduceProd", false); }},
    {"cast",
     [](const Export& e) {
       e.add("Cast", e.in, {{"to", onnx_type(e.node.dtype())}});
       return true;
     }},
    {"square",
     [](const Export& e) {
       e.add("Mul", {e.in[0], e.in[0]});
       return true;
     }},
    {"squared_difference",
     [](const Export& e) {
       const std::string difference = e.add("Sub", e.in);
       e.add("Mul", {difference, difference});
       return true;
     }},
    {"rsqrt",
     [](const Export& e) {
       e.add("Reciprocal", {e.add("Sqrt", e.in)});
       return true;
     }},
    {"log_sigmoid",
     [](const Export& e) {
       e.add("Neg", {e.add("Softplus", {e.add("Neg", e.in)})});
       return true;
     }},
    {"sigmoid_cross_entropy_with_logits",
     [](const Export& e) {
       const std::string far = e.add("Sub", {e.add("Relu", {e.in[1]}), e.add("Mul", {e.in[1], e.in[0]})});
       e.add("Add", {far, e.add("Softplus", {e.add("Neg", {e.add("Abs", {e.in[1]})})})});
       return true;
     }},
    {"leaky_relu",
     [](const Export& e) {
       const std::string positive = e.add("Greater", {e.in[0], e.number("zero", 0)});
       e.add("Where", {positive, e.in[0], e.add("Mul", e.in)});
       return true;
     }},
    {"elu",
     [](const Export& e) {
       const std::string positive = e.add("Greater", {e.in[0], e.number("zero", 0)});
       e.add("Where", {positive, e.in[0], e.add("Mul", {e.add("Elu", {e.in[0]}), e.in[1]})});
       return true;
     }},
    {"silu",
     [](const Export& e) {
       e.add("Mul", {e.in[0], e.add("Sigmoid", e.in)});
       return true;
     }},
    {"clip_by_value",
     [](const Export& e) {
       e.add("Min", {e.add("Max", {e.in[0], e.in[1]}), e.in[2]});
       return true;
     }},
    {"mask",
     [](const Export& e) {
       e.add("Where", {e.in[0], e.in[1], e.number("zero", 0)});
       return true;
     }},
    {"not_equal",
     [](const Export& e) {
       e.add("Not", {e.add("Equal", e.in)});
       return true;
     }},
    {"isfinite",
     [](const Export& e) {
       e.add("Less", {e.add("Abs", e.in), e.number("inf", std::numeric_limits<double>::infinity())});
       return true;
     }},
};

}  // namespace

bool add_op(OnnxGraph& onnx, const Expr& node, const std::vector<std::string>& in) {
  const Export e{onnx, node, in};
  const std::string_view op = node.op().name();
  const auto named = [&](const auto& entry) { return entry.first == op; };
  if (const auto* same = std::find_if(std::begin(same_ops), std::end(same_ops), named); same != std::end(same_ops)) {
    e.add(same->second, e.in);
    return true;
  }
  const auto* rule = std::find_if(std::begin(rules), std::end(rules), named);
  return rule != std::end(rules) && rule->second(e);
}

}  // namespace gradus
