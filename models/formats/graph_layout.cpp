// The layout, after Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures"
// (IEEE SMC 1981): a node stands one layer above the highest of its users; an edge over several layers passes through a
// place in each; the order within a layer follows the neighbours' mean, and so do the positions, as near to it as the
// neighbours' widths allow.
#include <gradus/models/formats/graph_layout.h>

#include <gradus/core/at.h>
#include <gradus/core/graph/op.h>
#include <gradus/models/formats/page_text.h>
#include <gradus/models/formats/svg.h>
#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace gradus {

namespace {

constexpr double box = GraphLayout::box, between_layers = 30, gap = 16, margin = 12;

// A node, or where an edge passes a layer.
struct Place {
  Expr node;  // none where an edge passes
  std::string name = {};
  std::string type = {};
  int layer = 0;
  double width = 34;            // room for an edge that slants
  double x = 0;                 // of the middle
  std::vector<int> above = {};  // places in the layer above, which this one reads
  std::vector<int> below = {};  // and those that read it
};

// From one node to another that reads it as input number `input`.
struct Way {
  int from, to, input;
  int first;  // the place below `from`
};

struct Drawing {
  std::vector<Place> places;
  std::vector<Way> ways;
  std::vector<std::vector<int>> layers;  // places from left to right; layer 0 is the lowest

  Place& at(int place) { return places[static_cast<std::size_t>(place)]; }
  const Place& at(int place) const { return places[static_cast<std::size_t>(place)]; }
};

// "matmul", or "y_hat = add" where the node was given a name of its own; a constant is its number.
std::string shown_name(const Expr& node, NodeNames names) {
  const std::string name = printable(node.name());
  if (node.kind() != Kind::op) return shortened(name, 28);
  const std::string op(node.op().name());
  const std::string own = name.substr(name.rfind('/') + 1);
  if (own.starts_with(op)) return names == NodeNames::own ? shortened(own, 34) : op;
  return shortened(fmt::format("{} = {}", own, op), 34);
}

Place place_of(const Expr& node, NodeNames names) {
  Place place{node};
  place.name = shown_name(node, names);
  place.type = to_string(node.shape());
  if (node.layout() != Layout::dense) place.type = fmt::format("{} {}", to_string(node.layout()), place.type);
  const std::size_t longest = std::max(character_count(place.name), character_count(place.type));
  place.width = 20 + 6.7 * static_cast<double>(std::max<std::size_t>(longest, 3));
  return place;
}

// Where an edge from `input` begins: the first place on its way to `user`.
int connect(Drawing& drawing, int input, int user) {
  const std::size_t first = drawing.at(input).below.size();
  int from = input;  // downwards, layer by layer
  for (int layer = drawing.at(input).layer - 1; layer >= drawing.at(user).layer; --layer) {
    int to = user;
    if (layer > drawing.at(user).layer) {
      to = static_cast<int>(drawing.places.size());
      drawing.places.push_back({});
      drawing.at(to).layer = layer;
      drawing.layers[static_cast<std::size_t>(layer)].push_back(to);
    }
    drawing.at(from).below.push_back(to);
    drawing.at(to).above.push_back(from);
    from = to;
  }
  return drawing.at(input).below[first];
}

Drawing layered(std::span<const Expr> nodes, NodeNames names) {
  Drawing drawing;
  std::map<NodeId, int> place_by_id;
  // Users come before their inputs here, so that each node's layer is known when it is reached.
  for (const Expr& node : nodes) {
    place_by_id[node.id()] = static_cast<int>(drawing.places.size());
    drawing.places.push_back(place_of(node, names));
  }
  for (const Expr& node : nodes)
    for (int i = 0; i < node.arity(); ++i) {
      Place& input = drawing.at(place_by_id[node.input(i).id()]);
      input.layer = std::max(input.layer, drawing.at(place_by_id[node.id()]).layer + 1);
    }
  for (const Place& place : drawing.places)
    if (static_cast<std::size_t>(place.layer) >= drawing.layers.size())
      drawing.layers.resize(static_cast<std::size_t>(place.layer) + 1);
  for (const Expr& node : nodes) {
    const int place = place_by_id[node.id()];
    drawing.layers[static_cast<std::size_t>(drawing.at(place).layer)].push_back(place);
  }
  for (const Expr& node : nodes)
    for (int i = 0; i < node.arity(); ++i) {
      const int from = place_by_id[node.input(i).id()], to = place_by_id[node.id()];
      drawing.ways.push_back({from, to, i, connect(drawing, from, to)});
    }
  return drawing;
}

double mean_x(const Drawing& drawing, const std::vector<int>& places, double otherwise) {
  if (places.empty()) return otherwise;
  double sum = 0;
  for (const int place : places) sum += drawing.at(place).x;
  return sum / static_cast<double>(places.size());
}

// Puts the places of a layer, in their order, as near to where they want to be as their widths allow: least squares
// under an order, by pooling neighbours that collide (isotonic regression).
void settle(Drawing& drawing, const std::vector<int>& layer, const std::vector<double>& wanted) {
  struct Block {
    double sum;
    std::size_t count;
  };
  std::vector<double> offset;  // of each place's middle from the first's, packed
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < layer.size(); ++i) {
    const double apart = i == 0 ? 0 : (drawing.at(layer[i - 1]).width + drawing.at(layer[i]).width) / 2 + gap;
    offset.push_back(i == 0 ? 0 : offset.back() + apart);
    blocks.push_back({wanted[i] - offset[i], 1});
    const auto mean = [](const Block& b) { return b.sum / static_cast<double>(b.count); };
    while (blocks.size() > 1 && mean(blocks[blocks.size() - 2]) > mean(blocks.back())) {
      blocks[blocks.size() - 2].sum += blocks.back().sum;
      blocks[blocks.size() - 2].count += blocks.back().count;
      blocks.pop_back();
    }
  }
  std::size_t i = 0;
  for (const Block& block : blocks)
    for (std::size_t j = 0; j < block.count; ++j, ++i)
      drawing.at(layer[i]).x = offset[i] + block.sum / static_cast<double>(block.count);
}

void arrange(Drawing& drawing) {
  for (std::vector<int>& layer : drawing.layers) settle(drawing, layer, std::vector<double>(layer.size()));
  for (int sweep = 0; sweep < 96; ++sweep) {
    const bool downwards = sweep % 2 == 0;
    for (std::size_t i = 0; i < drawing.layers.size(); ++i) {
      std::vector<int>& layer = drawing.layers[downwards ? drawing.layers.size() - 1 - i : i];
      std::vector<std::pair<double, int>> order;
      for (const int place : layer) {
        const Place& here = drawing.at(place);
        // First each side by itself, to find the order; then both, to find the place.
        std::vector<int> neighbours = downwards ? here.above : here.below;
        if (sweep >= 16 || neighbours.empty()) {
          neighbours = here.above;
          neighbours.insert(neighbours.end(), here.below.begin(), here.below.end());
        }
        order.emplace_back(mean_x(drawing, neighbours, here.x), place);
      }
      if (sweep < 16)
        std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      std::vector<double> wanted;
      for (std::size_t j = 0; j < order.size(); ++j) {
        layer[j] = order[j].second;
        wanted.push_back(order[j].first);
      }
      settle(drawing, layer, wanted);
    }
  }
}

struct Bend {
  double x, y;
};

// A curve downwards through the points, straight down at both ends: cubic pieces whose slopes are the neighbours'.
std::string smooth(const std::vector<Bend>& points) {
  const auto slope = [&](std::size_t i) {
    if (i == 0 || i + 1 == points.size()) return 0.0;
    return (points[i + 1].x - points[i - 1].x) / (points[i + 1].y - points[i - 1].y);
  };
  std::string path = fmt::format("M{} {}", pixels(points[0].x), pixels(points[0].y));
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Bend &a = points[i - 1], &b = points[i];
    const double third = (b.y - a.y) / (points.size() == 2 ? 2 : 3);
    path += fmt::format("C{} {} {} {} {} {}", pixels(a.x + slope(i - 1) * third), pixels(a.y + third),
                        pixels(b.x - slope(i) * third), pixels(b.y - third), pixels(b.x), pixels(b.y));
  }
  return path;
}

}  // namespace

std::vector<Expr> nodes_of(const Expr& result) {
  std::vector<bool> wanted(at(result.id()) + 1);
  wanted.back() = true;
  std::vector<Expr> out;
  for (NodeId id = result.id(); id >= 0; --id) {
    if (!wanted[at(id)]) continue;
    out.push_back(result.graph()[id]);
    for (int i = 0; i < out.back().arity(); ++i) wanted[at(out.back().input(i).id())] = true;
  }
  return out;
}

std::string_view look_of(const Expr& node) {
  switch (node.kind()) {
    case Kind::placeholder: return "node placeholder";
    case Kind::variable: return "node variable";
    case Kind::constant: return "node constant";
    default: return "node";
  }
}

GraphLayout lay_out(std::span<const Expr> nodes, NodeNames names) {
  Drawing drawing = layered(nodes, names);
  arrange(drawing);
  double low = drawing.places[0].x, high = low;
  for (const Place& place : drawing.places) {
    low = std::min(low, place.x - place.width / 2);
    high = std::max(high, place.x + place.width / 2);
  }
  const auto layers = static_cast<double>(drawing.layers.size());
  const auto x = [&](const Place& place) { return margin + place.x - low; };
  const auto y = [&](const Place& place) { return margin + (layers - 1 - place.layer) * (box + between_layers); };
  GraphLayout layout;
  layout.width = 2 * margin + high - low;
  layout.height = 2 * margin + layers * box + (layers - 1) * between_layers;
  for (const Place& place : drawing.places)
    if (place.node.valid()) layout.nodes.push_back({place.name, place.type, x(place), y(place), place.width});
  for (const Way& way : drawing.ways) {
    const Place& from = drawing.at(way.from);
    std::vector<Bend> through = {{x(from), y(from) + box}};
    int next = way.first;
    for (; !drawing.at(next).node.valid(); next = drawing.at(next).below[0])
      through.push_back({x(drawing.at(next)), y(drawing.at(next)) + box / 2});
    through.push_back({x(drawing.at(next)), y(drawing.at(next))});
    layout.edges.push_back({way.from, way.to, way.input, smooth(through)});
  }
  return layout;
}

}  // namespace gradus
