// The drawing of a graph: the exact text of a small one, and what stands in labels.
#include <gradus/core/error.h>
#include <gradus/core/graph/graph.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace gradus {
namespace {

std::string line_of(const std::string& text, int number) {
  std::istringstream in(text);
  std::string line;
  for (int i = 0; i <= number; ++i) std::getline(in, line);
  return line;
}

std::string label(const std::string& name, const std::string& rest, int line) {
  return fmt::format("label=<<b>{}</b><br/>{}<br/><font point-size=\"9\" color=\"#777777\">dot_test.cpp:{}</font>>]",
                     name, rest, line);
}

TEST_CASE("a drawing has a shape for each kind of node, and edges in the order of inputs") {
  Graph g;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {any, 3});
  const Expr w = g.variable("w", zeros({3}));
  const Expr y = reduce_sum(x * w, 1);
  const Expr set = g.assign(w, w - 0.5 * w);
  g.group({{set, y.named("y <\"&\">\n")}});
  const std::string text = to_dot(g);
  constexpr int header = 4;
  CHECK(line_of(text, 0) == "digraph gradus {");
  const auto node = [&](int i) { return line_of(text, header + i); };
  CHECK(node(0) == "  n0 [shape=invhouse, fillcolor=\"#cfe2f7\", " + label("x", "float32 [?, 3]", line + 1));
  CHECK(node(1) ==
        "  n1 [shape=cylinder, fillcolor=\"#fbe3b8\", margin=\"0.12,0.12\", " + label("w", "float32 [3]", line + 2));
  CHECK(node(2) == "  n2 [shape=box, " + label("multiply", "float32 [?, 3]", line + 3));
  CHECK(node(3) ==
        "  n3 [shape=box, " + label("y &lt;&quot;&amp;&quot;&gt; ", "reduce_sum axes=[1]<br/>float32 [?]", line + 3));
  CHECK(node(4) ==
        "  n4 [shape=ellipse, fillcolor=\"#eeeeee\", margin=\"0.02,0.02\", " + label("0.5", "float32 []", line + 4));
  CHECK(node(7) == "  n7 [shape=cds, fillcolor=\"#f6cfcf\", " + label("assign", "float32 [3]", line + 4));
  CHECK(node(8) == "  n8 [shape=folder, fillcolor=\"#e3d7f2\", " + label("group", "float32 [0]", line + 5));
  const std::string edges = text.substr(text.find("  n0 -> "));
  CHECK(edges ==
        "  n0 -> n2\n  n1 -> n2\n  n2 -> n3\n  n4 -> n5\n  n1 -> n5\n  n1 -> n6\n  n5 -> n6\n"
        "  n1 -> n7 [style=dashed, constraint=false]\n  n6 -> n7\n  n7 -> n8\n  n3 -> n8\n}\n");
}

TEST_CASE("write_dot writes what to_dot says") {
  Graph g;
  g.placeholder("x", {2});
  const std::string path = (std::filesystem::temp_directory_path() / "gradus_dot_test.dot").string();
  write_dot(g, path);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK(text.str() == to_dot(g));
  std::filesystem::remove(path);
  CHECK_THROWS_WITH_AS(write_dot(g, "/no/such/folder/g.dot"),
                       "/no/such/folder/g.dot: cannot be written: No such file or directory", IoError);
}

TEST_CASE("an empty graph draws as nothing") {
  Graph g;
  CHECK(to_dot(g).ends_with("arrowsize=0.6]\n}\n"));
}

}  // namespace
}  // namespace gradus
