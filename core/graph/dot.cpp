// A graph as a drawing: the DOT language of Graphviz (graphviz.org/doc/info/lang.html). A node is a box with its
// name, its op and attributes where the name does not say them, its type and its line; edges run from inputs to users.
#include <gradus/core/graph/op.h>
#include <gradus/core/io/file.h>

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace gradus {

namespace {

// Text of an HTML-like label. Control characters may not stand in one at all.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? ' ' : c;
    }
  }
  return out;
}

std::string_view look(Kind kind) {
  switch (kind) {
    case Kind::placeholder: return "shape=invhouse, fillcolor=\"#cfe2f7\"";
    case Kind::variable: return "shape=cylinder, fillcolor=\"#fbe3b8\", margin=\"0.12,0.12\"";
    case Kind::constant: return "shape=ellipse, fillcolor=\"#eeeeee\", margin=\"0.02,0.02\"";
    case Kind::assign: return "shape=cds, fillcolor=\"#f6cfcf\"";
    case Kind::group: return "shape=folder, fillcolor=\"#e3d7f2\"";
    case Kind::op: break;
  }
  return "shape=box";
}

// "reduce_sum axis=1": the op of a node that was given another name, and what the op was told.
std::string what(const Expr& node) {
  if (node.kind() != Kind::op) return {};
  const std::string_view op = node.op().name();
  const std::string_view name = node.name();
  std::string attributes = to_string(node.op().attributes());
  const bool said = name.substr(name.rfind('/') + 1).starts_with(op);
  if (said) return attributes;
  return attributes.empty() ? std::string(op) : fmt::format("{} {}", op, attributes);
}

}  // namespace

std::string to_dot(Graph& graph) {
  std::string text =
      "digraph gradus {\n"
      "  graph [ordering=in, nodesep=0.3, ranksep=0.35]\n"
      "  node [fontname=\"Helvetica\", fontsize=11, style=filled, fillcolor=white, color=\"#555555\","
      " margin=\"0.12,0.06\", height=0.3]\n"
      "  edge [color=\"#777777\", arrowsize=0.6]\n";
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Expr node = graph[id];
    const std::string told = what(node);
    text +=
        fmt::format("  n{} [{}, label=<<b>{}</b>{}{}<br/>{}<br/><font point-size=\"9\" color=\"#777777\">{}</font>>]\n",
                    id, look(node.kind()), escaped(node.name()), told.empty() ? "" : "<br/>", escaped(told),
                    escaped(to_string(node.type())), escaped(to_string(node.where())));
  }
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Expr node = graph[id];
    for (int i = 0; i < node.arity(); ++i) {
      // An assign names its variable and does not read it; such an edge says nothing about the order of work.
      text += fmt::format("  n{} -> n{}{}\n", node.input(i).id(), id,
                          node.op().reads(i) ? "" : " [style=dashed, constraint=false]");
    }
  }
  text += "}\n";
  return text;
}

void write_dot(Graph& graph, const std::string& path) {
  const std::string text = to_dot(graph);
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace gradus
