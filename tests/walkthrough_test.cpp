// Recorded runs: what is in a frame is what a session gives and what central differences say, limits are kept, and a
// page holds its data whatever names and numbers there are.
#include "refusal.h"

#include <gradus/gradus.h>

#include <gradus/core/io/json.h>
#include <gradus/core/plan/passes.h>
#include <gradus/models/formats/graph_layout.h>

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace gradus {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The data of a page, as its script reads them.
Json data_of(const std::string& html) {
  const std::string_view begin = "<script type=\"application/json\" id=\"run\">";
  const std::size_t from = html.find(begin) + begin.size(), to = html.find("</script>", from);
  const std::string data = html.substr(from, to - from);
  CHECK_FALSE(has(data, "<"));
  const Json json = parse_json(data);
  REQUIRE_FALSE(json.is_discarded());
  return json;
}

std::size_t place_of(const Walkthrough& run, const Expr& node) {
  for (std::size_t i = 0; i < run.nodes.size(); ++i)
    if (same_node(run.nodes[i], node)) return i;
  FAIL("the node is not recorded");
  return 0;
}

struct Watched {
  Graph g;
  Expr x = g.placeholder("x", {4, 3}, float64);
  Expr w = g.variable("w", random_normal({3, 2}, {.seed = 1, .dtype = float64}));
  Expr b = g.variable("b", Tensor({0.5, -1}, float64));
  Expr h = tanh(matmul(x, w) + b);
  Expr loss = reduce_mean(square(h)) + reduce_sum(w * w);
  Expr train = GradientDescent(0.1).minimize(loss);
  Tensor data = Initializer(random_normal({4, 3}, {.seed = 2, .dtype = float64})).value("x");
  Session session{g};
};

}  // namespace

TEST_CASE("A walkthrough's losses are those of a loop over run, and its gradients are central differences") {
  Watched m, plain;
  const Feeds feeds = {{m.x, m.data}};
  const Walkthrough run = record_walkthrough(m.session, {.loss = m.loss, .train = m.train, .steps = 30}, feeds);
  REQUIRE(run.losses.size() == 31);
  for (int step = 0; step <= 30; ++step) {
    CHECK(run.losses[static_cast<std::size_t>(step)] ==
          doctest::Approx(plain.session.run(plain.loss, {{plain.x, m.data}}).item()));
    if (step < 30) plain.session.run(plain.train, {{plain.x, m.data}});
  }
  CHECK(run.frames.front().step == 0);
  CHECK(run.frames.back().step == 30);

  const Walkthrough::Frame& last = run.frames.back();
  for (const Expr& variable : {m.w, m.b}) {
    const std::size_t n = place_of(run, variable);
    const Tensor value = last.values[n].numbers, gradient = last.gradients[n]->numbers;
    const std::vector<double> at(value.begin(), value.end());
    for (std::size_t i = 0; i < at.size(); ++i) {
      const auto loss_at = [&](double step) {
        std::vector<double> moved = at;
        moved[i] += step;
        m.session.assign(variable, Tensor::from(moved, value.shape()));
        return m.session.run(m.loss, feeds).item();
      };
      CHECK(gradient.stored_value(static_cast<std::int64_t>(i)) ==
            doctest::Approx((loss_at(1e-6) - loss_at(-1e-6)) / 2e-6).epsilon(1e-6));
    }
    m.session.assign(variable, value);
  }
}

TEST_CASE("The parts of the backward walk add up to the gradients") {
  Watched m;
  const std::vector<Expr> xs = {m.x, m.w, m.b, m.h};
  const BackwardWalk walk = walk_backward(m.loss, xs);
  const std::vector<Expr> expected = gradients(m.loss, xs);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Expr sum;
    for (const GradientPart& part : walk.parts)
      if (same_node(part.node.input(part.input), xs[i])) sum = sum.valid() ? sum + part.part : part.part;
    REQUIRE(sum.valid());
    const auto [found, gradient, right] =
        m.session.run({broadcast_like(sum, xs[i]), walk.gradients[i], expected[i]}, {{m.x, m.data}});
    CHECK(allclose(found, right));
    CHECK(allclose(gradient, right));
  }
  CHECK_FALSE(walk_backward(m.h, std::span(&m.loss, 1)).gradients[0].valid());
}

TEST_CASE("A page holds its run as data: nodes, parts, frames of what changed, plans of which one lacks each pass") {
  Watched m;
  const Walkthrough run =
      record_walkthrough(m.session, {.loss = m.loss, .train = m.train, .steps = 40, .title = "t"}, {{m.x, m.data}});
  const std::string html = to_html(run);
  const Json data = data_of(html);
  CHECK(data["format"] == "gradus-walkthrough");
  CHECK(data["version"] == 1);
  CHECK(data["nodes"].size() == run.nodes.size());
  CHECK(data["backward"].size() == run.parts.size());
  CHECK(data["plans"][0]["without"] == "");
  CHECK(data["plans"].back()["without"] == "all passes");
  std::vector<std::string> without{""};
  for (const PassName& pass : pass_names())
    if (pass.on_cpu && pass.name != compile_pass) without.emplace_back(pass.name);
  REQUIRE(data["plans"].size() == without.size() + 1);
  for (std::size_t i = 0; i < without.size(); ++i) CHECK(data["plans"][i]["without"] == without[i]);
  CHECK(data["frames"][0]["value"].size() == run.nodes.size());
  CHECK(data["frames"][1]["value"].size() < run.nodes.size());  // neither x nor the constants
  for (const Json& node : data["nodes"])
    for (const Json& input : node["inputs"]) CHECK(input < data["nodes"].size());
  const Json& source = data["sources"][data["nodes"].back()["source"].get<std::size_t>()];
  CHECK(source["name"] == "walkthrough_test.cpp");
  const std::size_t slash = std::string(__FILE__).rfind('/');
  if (slash > 0) CHECK_FALSE(has(html, std::string(__FILE__).substr(0, slash + 1)));
  CHECK_FALSE(has(html, "{{"));

  std::size_t inputs = 0;
  for (const Expr& node : run.nodes) inputs += static_cast<std::size_t>(node.arity());
  CHECK(lay_out(nodes_of(m.loss)).edges.size() == inputs);
}

TEST_CASE("A page leaves frames out where it would be too large, and refuses what has no room") {
  Watched m;
  const Walkthrough run =
      record_walkthrough(m.session, {.loss = m.loss, .train = m.train, .steps = 500}, {{m.x, m.data}});
  const std::size_t whole = to_html(run).size();
  const std::string smaller = to_html(run, {.usual_bytes = static_cast<std::int64_t>(whole) - 1});
  CHECK(smaller.size() < whole);
  const Json frames = data_of(smaller)["frames"];
  CHECK(frames.size() < run.frames.size());
  CHECK(frames.front()["t"] == 0);
  CHECK(frames.back()["t"] == 500);
  CHECK(has(refusal<ValueError>([&] { to_html(run, {.most_bytes = 1000}); }), "the largest node is x: float64 [4, 3]"));
  CHECK_THROWS_AS(write_page(run, "/nowhere/page.html"), IoError);
}

TEST_CASE("A page's scripts and style have at most 60 kB") {
  Watched m;
  const std::string html = to_html(record_walkthrough(m.session, {.loss = m.loss}, {{m.x, m.data}}));
  const std::size_t style = html.find("</style>") - html.find("<style>"),
                    script = html.rfind("</script>") - html.rfind("<script>");
  CHECK(style + script <= 60'000);
  CHECK(style > 5'000);
  CHECK(script > 20'000);
}

TEST_CASE("A walkthrough refuses what it cannot show") {
  Watched m;
  Graph other;
  const Expr stranger = other.variable("v", Tensor(1));
  const auto refused = [&]<class E>(E, const WalkthroughOptions& options, std::string_view why) {
    const std::string message = refusal<E>([&] { record_walkthrough(m.session, options, {{m.x, m.data}}); });
    CHECK_MESSAGE(has(message, why), message);
  };
  refused(TypeError(""), {}, "the loss is no expression");
  refused(TypeError(""), {.loss = m.h}, "one floating number is expected");
  refused(TypeError(""), {.loss = stranger}, "another graph");
  refused(TypeError(""), {.loss = m.loss, .train = stranger}, "another graph");
  refused(ValueError(""), {.loss = m.loss, .train = m.train, .steps = -1}, "0 to 1000000 are expected");
  Expr long_one = m.loss;
  for (int i = 0; i < 400; ++i) long_one = tanh(long_one);
  refused(ValueError(""), {.loss = long_one}, "a page shows at most 400");
  CHECK_THROWS_AS(record_walkthrough(m.session, {.loss = m.loss}), FeedError);
}

TEST_CASE("Sparse, large, scalar and not finite values are kept as they are, names of any bytes too") {
  Graph g;
  const Expr X = g.sparse_placeholder("</script>\xff", {any, 5});
  const Expr w = g.variable("\xe2\x80\xaew", Tensor({{1}, {2}, {3}, {4}, {5}}));
  const Expr big = g.variable("big", random_normal({130, 70}, {.seed = 3}));
  const Expr loss = reduce_sum(log(matmul(X, w) - 1)) + reduce_sum(big) + 0.0 * reduce_sum(square(X));
  const Tensor x = Tensor({{0, 0, 0, 0, 0}, {1, 0, 2, 0, 0}}).to_csr();
  Session session(g);
  const Walkthrough run = record_walkthrough(session, {.loss = loss}, {{X, x}});
  CHECK(run.frames.size() == 1);
  const Json data = data_of(to_html(run));
  std::map<std::string, std::string> node;
  for (std::size_t i = 0; i < run.nodes.size(); ++i) node[data["nodes"][i]["name"]] = std::to_string(i);
  const Json &value = data["frames"][0]["value"], &gradient = data["frames"][0]["gradient"];
  CHECK(value[node["</script>\\xff"]]["at"] == "BQAAAAcAAAA=");  // 5 and 7
  CHECK(gradient[node["\\u202ew"]].contains("at"));              // rows of a table
  CHECK(data["nodes"].back()["shape"].empty());

  const WalkthroughValue& blocks = run.frames[0].values[place_of(run, big)];
  CHECK_FALSE(blocks.whole);
  CHECK(blocks.numbers.shape() == Shape{44, 35});  // 3 rows and 2 columns a block
  const Tensor numbers = session.value(big);
  double sum = 0, least = INFINITY;
  for (int i = 3; i < 6; ++i)
    for (int j = 2; j < 4; ++j) sum += numbers.at(i, j);
  for (const double number : numbers) least = std::min(least, number);
  CHECK(blocks.numbers.at(1, 1) == doctest::Approx(sum / 6));
  CHECK(blocks.least == least);
  CHECK(std::isnan(run.losses[0]));
}

}  // namespace gradus
