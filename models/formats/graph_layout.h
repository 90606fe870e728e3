// Where the nodes of a graph stand in a picture of it: in layers, from the inputs down. Lengths are pixels.
#pragma once

#include <gradus/core/graph/graph.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

struct GraphLayout {
  static constexpr double box = 38;  // the height of a node

  struct Node {
    std::string name;  // "matmul", or "y_hat = add" where the node was given a name of its own
    std::string type;  // "[7, 5]", "csr [7, 16]"
    double x, y;       // the middle of the upper edge
    double width;
  };
  struct Edge {
    int from, to;      // nodes; `to` reads `from`
    int input;         // as this input
    std::string path;  // path data of SVG, downwards
  };
  double width = 0, height = 0;
  std::vector<Node> nodes;
  std::vector<Edge> edges;
};

/// What stands in a node of an op: "matmul", or the node's own name, "matmul_1", by which it is told from others.
enum class NodeNames : std::uint8_t { op, own };

/// The nodes that `result` needs, itself among them, newest first.
std::vector<Expr> nodes_of(const Expr& result);
/// The layout of nodes_of(result), in that order.
GraphLayout lay_out(std::span<const Expr> nodes, NodeNames names = NodeNames::op);
/// The class names of a node's box: "node variable".
std::string_view look_of(const Expr& node);

}  // namespace gradus
