// The graph of a prediction, drawn as graph_layout.h places it.
#include <gradus/models/formats/graph_layout.h>
#include <gradus/models/formats/svg.h>
#include "report_charts.h"

#include <fmt/format.h>

namespace fm {

using namespace gradus;

std::string graph_chart(const Report& report) {
  constexpr std::size_t most_nodes = 90;
  if (!report.prediction.valid()) return {};
  const std::vector<Expr> nodes = nodes_of(report.prediction);
  if (nodes.size() > most_nodes) return {};
  const GraphLayout layout = lay_out(nodes);
  Svg svg("graph", layout.width, layout.height, "The graph of the prediction",
          fmt::format("{} nodes, from placeholders and variables down to {}.", nodes.size(), report.prediction.name()));
  for (const GraphLayout::Edge& edge : layout.edges) svg.path(edge.path, "edge");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const GraphLayout::Node& node = layout.nodes[i];
    svg.rectangle(node.x - node.width / 2, node.y, node.width, GraphLayout::box, look_of(nodes[i]), 1, 6);
    svg.text(node.x, node.y + 16, node.name, "node-name", "middle");
    svg.text(node.x, node.y + 30, node.type, "node-type", "middle");
  }
  return svg.str();
}

}  // namespace fm
