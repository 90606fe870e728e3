// The page itself: walkthrough/page.html with what is in double braces replaced.
#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/models/formats/detail/base64.h>
#include <gradus/models/formats/detail/walkthrough_files.h>
#include <gradus/models/formats/detail/walkthrough_json.h>
#include <gradus/models/formats/graph_layout.h>
#include <gradus/models/formats/page_text.h>
#include <gradus/models/formats/svg.h>
#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <string_view>

namespace gradus {

namespace {

// A hash as a Content-Security-Policy names it: 'sha256-...'.
std::string policy_hash(const WalkthroughFile& file) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < file.sha256.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(file.sha256.substr(i, 2)), nullptr, 16)));
  return "'sha256-" + base64(bytes) + "'";
}

std::string_view kind_word(const Expr& node) {
  switch (node.kind()) {
    case Kind::placeholder: return "fed";
    case Kind::variable: return "learnt";
    case Kind::constant: return "constant";
    default: return "computed";
  }
}

// Kinds differ in shape as well as in colour.
double radius_of(const Expr& node) {
  switch (node.kind()) {
    case Kind::placeholder: return GraphLayout::box / 2;
    case Kind::variable: return 2;
    case Kind::constant: return 10;
    default: return 6;
  }
}

// The page's script finds nodes and edges by their data attributes; nodes are numbered oldest first.
std::string graph_picture(const Walkthrough& run) {
  const std::vector<Expr> newest_first(run.nodes.rbegin(), run.nodes.rend());
  const GraphLayout layout = lay_out(newest_first, NodeNames::own);
  const auto last = static_cast<int>(run.nodes.size()) - 1;
  std::string svg = fmt::format(
      "<svg id=\"graph\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"group\" "
      "aria-label=\"The graph: {2} nodes in layers, inputs at the top, the loss at the bottom\">\n"
      "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" "
      "markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n<g "
      "id=\"hulls\"></g>\n",
      pixels(layout.width), pixels(layout.height), run.nodes.size());
  for (const GraphLayout::Edge& edge : layout.edges)
    svg += fmt::format("<path class=\"edge\" d=\"{}\" data-from=\"{}\" data-to=\"{}\" data-input=\"{}\"/>\n", edge.path,
                       last - edge.from, last - edge.to, edge.input);
  svg += "<g id=\"labels\"></g>\n";
  for (int i = last; i >= 0; --i) {  // oldest first, as they are computed
    const Expr& node = newest_first[at(i)];
    const GraphLayout::Node& place = layout.nodes[at(i)];
    svg += fmt::format(
        "<g class=\"{}\" data-n=\"{}\" tabindex=\"-1\" role=\"button\" aria-label=\"{}, {}, {}\">"
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>"
        "<text x=\"{}\" y=\"{}\" class=\"name\">{}</text><text x=\"{}\" y=\"{}\" class=\"type\">{}</text></g>\n",
        look_of(node), last - i, escaped(printable(node.name())), kind_word(node), escaped(place.type),
        pixels(place.x - place.width / 2), pixels(place.y), pixels(place.width), pixels(GraphLayout::box),
        pixels(radius_of(node)), pixels(place.x), pixels(place.y + 16), escaped(place.name), pixels(place.x),
        pixels(place.y + 30), escaped(place.type));
  }
  return svg + "</svg>\n";
}

// What is seen without JavaScript: the last frame's small tensors, and some of the losses.
std::string still(const Walkthrough& run) {
  constexpr std::int64_t most_elements = 128;
  const Walkthrough::Frame& frame = run.frames.back();
  std::string html = fmt::format("<h2>Loss</h2>\n<table><tr><th>step</th><th>loss</th></tr>\n");
  for (const Walkthrough::Frame& each : run.frames)
    html += fmt::format("<tr><td>{}</td><td>{:.5g}</td></tr>\n", each.step, run.losses[at(each.step)]);
  html += fmt::format("</table>\n<h2>Values after {} steps</h2>\n", frame.step);
  for (std::size_t i = 0; i < run.nodes.size(); ++i) {
    const WalkthroughValue& value = frame.values[i];
    if (!value.whole || value.numbers.size() > most_elements) continue;
    const Tensor dense = value.numbers.to_dense();
    const std::int64_t columns = dense.rank() == 0 ? 1 : dense.dim(-1);
    html += fmt::format("<h3>{}</h3>\n<table>", escaped(printable(run.nodes[i].name())));
    std::int64_t element = 0;
    for (const double number : dense)
      html += fmt::format("{}<td>{:.4g}</td>", element++ % columns == 0 ? "<tr>" : "", number);
    html += "</table>\n";
  }
  return html;
}

// The template with each {{name}} replaced, in one pass: what is put in is not looked at again.
std::string filled(std::string_view text, const std::map<std::string_view, std::string_view>& parts) {
  std::string out;
  while (true) {
    const std::size_t begin = text.find("{{");
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const std::size_t end = text.find("}}", begin);
    out += parts.at(text.substr(begin + 2, end - begin - 2));
    text.remove_prefix(end + 2);
  }
}

// In a <script>: no character can end it.
std::string in_script(const Json& json) {
  std::string out;
  for (const char c : to_text_replacing(json)) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

// Of the frames every second, and the last.
std::vector<std::size_t> thinned(const std::vector<std::size_t>& frames) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i + 1 < frames.size(); i += 2) out.push_back(frames[i]);
  out.push_back(frames.back());
  return out;
}

std::string largest_node(const Walkthrough& run) {
  const auto& values = run.frames.front().values;
  const auto largest = std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) {
    return a.numbers.stored() < b.numbers.stored();
  });
  return to_string(run.nodes[static_cast<std::size_t>(largest - values.begin())]);
}

}  // namespace

std::string to_html(const Walkthrough& run, const PageOptions& options) {
  if (run.frames.empty()) fail<ValueError>("write_page: nothing is recorded");
  const std::string title = escaped(printable(run.title));
  const std::string policy =
      fmt::format("default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
                  policy_hash(walkthrough_js), policy_hash(walkthrough_css));
  const std::string graph = graph_picture(run), without_script = still(run);
  const std::string facts = in_script(facts_of(run));
  std::vector<std::size_t> frames(run.frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i] = i;
  while (true) {
    const std::string data =
        facts.substr(0, facts.size() - 1) + ",\"frames\":" + in_script(frames_of(run, frames)) + "}";
    std::string page = filled(walkthrough_html.text, {{"title", title},
                                                      {"policy", policy},
                                                      {"style", walkthrough_css.text},
                                                      {"graph", graph},
                                                      {"still", without_script},
                                                      {"data", data},
                                                      {"script", walkthrough_js.text},
                                                      {"version", GRADUS_VERSION}});
    const auto size = static_cast<std::int64_t>(page.size());
    if (size <= std::min(options.usual_bytes, options.most_bytes)) return page;
    if (frames.size() <= 2) {
      if (size <= options.most_bytes) return page;
      fail<ValueError>(
          "write_page: the page of {} steps would have {} bytes and may have {}; feed fewer rows, or take a part of "
          "the "
          "graph as the loss: the largest node is {}",
          frames.size(), size, options.most_bytes, largest_node(run));
    }
    frames = thinned(frames);
  }
}

void write_page(const Walkthrough& run, const std::string& path, const PageOptions& options) {
  const std::string page = to_html(run, options);
  write_file_atomically(path, std::as_bytes(std::span(page)));
}

}  // namespace gradus
