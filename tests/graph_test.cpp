// Graphs: names, scopes, source lines, operands, and what is refused when a node is made, with the exact texts.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/graph/graph.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gradus {
namespace {

// --- names -----------------------------------------------------------------------------------------------

TEST_CASE("names are unique and readable") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  CHECK(x.name() == "x");
  CHECK((x + x).name() == "add");
  CHECK((x + x).name() == "add_1");
  CHECK(g.placeholder("add_2", {2}).name() == "add_2");
  CHECK((x + x).name() == "add_3");
  CHECK(g.placeholder("x", {2}).name() == "x_1");
  CHECK(g.variable("x", zeros({1})).name() == "x_2");
  CHECK(g.placeholder("x_1", {2}).name() == "x_1_1");
  for (int i = 0; i < 300; ++i) g.constant(Tensor(1.0));
  std::vector<std::string> names;
  for (NodeId id = 0; id < g.size(); ++id) names.push_back(g[id].name());
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
}

TEST_CASE("scopes nest, end, and are unique themselves") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  {
    const Graph::Scope outer = g.scope("layer");
    CHECK(g.variable("w", zeros({2})).name() == "layer/w");
    {
      const Graph::Scope inner = g.scope("deep");
      CHECK((x * x).name() == "layer/deep/multiply");
      CHECK((x * x).named("y").name() == "layer/deep/y");
    }
    CHECK((x * x).name() == "layer/multiply");
  }
  CHECK((x * x).name() == "multiply");
  {
    const Graph::Scope again = g.scope("layer");
    CHECK(g.variable("w", zeros({2})).name() == "layer_1/w");
  }
  CHECK(g.find("layer/deep/multiply").op().name() == "multiply");
}

TEST_CASE("find and named") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr y = x + 1;
  CHECK(same_node(g.find("x"), x));
  CHECK(same_node(g.find("add"), y));
  CHECK_FALSE(g.find("nothing").valid());
  CHECK_FALSE(g.find("").valid());
  CHECK_FALSE(g.find("1").valid());  // a literal is called what it is and not found by it
  CHECK(same_node(y.named("sum"), y));
  CHECK(same_node(g.find("sum"), y));
  CHECK_FALSE(g.find("add").valid());
  CHECK(y.named("sum").name() == "sum");  // its own name is not taken
  CHECK(y.named("x").name() == "x_1");
  CHECK(same_node(g.find("x"), x));
  CHECK((x + 1).name() == "add_1");
}

TEST_CASE("expressions print") {
  Graph g;
  const Expr x = g.sparse_placeholder("X", {any, 3}, float64);
  CHECK(to_string(x) == "X: float64 csr [?, 3] (" + here(__LINE__ - 1) + ")");
  CHECK(fmt::format("{}", x) == to_string(x));
  CHECK(to_string(Expr()) == "no expression");
  CHECK(to_string(Location{"a/b/main.cpp", 14}) == "main.cpp:14");
  CHECK(to_string(Location{"main.cpp", 14}) == "main.cpp:14");
}

// --- source lines ----------------------------------------------------------------------------------------

TEST_CASE("nodes know the user's line, through functions, operators and numbers") {
  Graph g;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {2, 2});
  const Expr w = g.variable("w", zeros({2}));
  const Expr c = g.constant(Tensor({1, 2}));
  const Expr sum = x + w;
  const Expr product = 2 * x;
  const Expr negated = -x;
  const Expr power = pow(x, 2);
  const Expr with_tensor = x - Tensor({1, 2});
  const Expr mean = reduce_mean(x);
  const Expr twice = softmax(x);  // several nodes of one call
  const Expr assigned = g.assign(w, w + 1);
  const Expr together = g.group({{assigned}});
  const Expr random = random_normal(g, {2});
  const Expr numbers = range(g, 0, 3);
  int expected = line;
  for (const Expr& e :
       {x, w, c, sum, product, negated, power, with_tensor, mean, twice, assigned, together, random, numbers})
    CHECK(to_string(e.where()) == here(++expected));
  CHECK(to_string(product.input(0).where()) == here(line + 5));
  CHECK(to_string(power.input(1).where()) == here(line + 7));
  CHECK(to_string(with_tensor.input(1).where()) == here(line + 8));
}

TEST_CASE("a pin holds the line of the call; of nested ones the outermost") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Location user{"user.cpp", 7};
  {
    const Graph::Pin pin = g.pin(user);
    CHECK(to_string((x + x).where()) == "user.cpp:7");
    {
      const Graph::Pin inner = g.pin(Location{"inner.cpp", 1});
      CHECK(to_string((x + x).where()) == "user.cpp:7");
      const Graph::Pin over = g.pin(Location{"over.cpp", 2}, true);
      CHECK(to_string((x + x).where()) == "over.cpp:2");
    }
    CHECK(to_string((x + x).where()) == "user.cpp:7");
  }
  CHECK(to_string((x + x).where()) == here(__LINE__));
}

// --- operands --------------------------------------------------------------------------------------------

TEST_CASE("operands of two graphs, of none") {
  Graph g, other;
  const Expr a = g.placeholder("a", {2});
  const Expr b = other.placeholder("b", {3});
  const std::string b_line = here(__LINE__ - 1);
  CHECK(refusal([&] { a + b; }) ==
        "add: b: float32 [3] (" + b_line + ") belongs to another graph than the operands before it");
  CHECK(refusal([&] {
          concat({a, b}, 0);
        }) == "concat: b: float32 [3] (" + b_line + ") belongs to another graph than the operands before it");
  CHECK(refusal([&] { add(1, 2); }) == "add: no operand belongs to a graph; at least one must be an expression");
  CHECK(refusal([&] { matmul(Tensor({{1}}), Tensor({{2}})); }) ==
        "matmul: no operand belongs to a graph; at least one must be an expression");
  CHECK(refusal([&] { exp(Expr()); }) == "exp: no operand belongs to a graph; at least one must be an expression");
  CHECK(g.size() == 1);
  CHECK(other.size() == 1);
}

TEST_CASE("numbers take the dtype of the expression, and are refused where they do not fit it") {
  Graph g;
  const Expr i = g.placeholder("i", {2}, int32);
  const Expr l = g.placeholder("l", {2}, int64);
  const Expr d = g.placeholder("d", {2}, float64);
  const Expr f = g.placeholder("f", {2});
  const Expr m = g.placeholder("m", {2}, boolean);
  CHECK((i + 1).dtype() == int32);
  CHECK((2.0 * i).dtype() == int32);  // a whole number, however it is written
  CHECK((l - 1).dtype() == int64);
  CHECK((0.5 * d).dtype() == float64);
  CHECK((1 - f).dtype() == float32);
  CHECK(logical_and(m, true).dtype() == boolean);
  CHECK(where(m, 0.5, d).dtype() == float64);
  CHECK(where(m, l, 1).dtype() == int64);
  const std::string int_rule = ") is not an int32; write an int32, or cast the other operand";
  const int line = __LINE__;
  CHECK(refusal([&] { i * 0.5; }) == "multiply: the number 0.5 (" + here(line + 1) + int_rule);
  CHECK(refusal([&] { 3e9 + i; }) == "add: the number 3000000000 (" + here(line + 2) + int_rule);
  CHECK(refusal([&] { i + (1.0 / 0.0); }) == "add: the number inf (" + here(line + 3) + int_rule);
  const std::string too_large = refusal([&] { l + 1e19; });
  CHECK(too_large ==
        "add: the number 1e+19 (" + here(line + 4) + ") is not an int64; write an int64, or cast the other operand");
  const Expr flag = g.variable("flag", zeros({}, boolean), {.trainable = false});
  const std::string no_bool = refusal([&] { g.assign(flag, 2); });
  CHECK(no_bool == "assign: the number 2 (" + here(__LINE__ - 1) + ") was given where bool is expected");
}

TEST_CASE("tensors as operands keep their dtype") {
  Graph g;
  const Expr f = g.placeholder("f", {2});
  CHECK((f + Tensor({1, 2})).dtype() == float32);
  CHECK(refusal([&] { f + Tensor({1, 2}, float64); }).starts_with("add: a is float32 (f, "));
}

// --- placeholders and variables --------------------------------------------------------------------------

TEST_CASE("a sparse placeholder has two dimensions") {
  Graph g;
  CHECK(g.sparse_placeholder("X", {any, 4}).layout() == Layout::csr);
  const int line = __LINE__;
  const std::string one = refusal([&] { g.sparse_placeholder("x", {4}); });
  const std::string three = refusal([&] { g.sparse_placeholder("x", {any, 2, 3}); });
  CHECK(one == "sparse_placeholder: x (" + here(line + 1) + ") is [4]; a csr matrix has two dimensions");
  CHECK(three == "sparse_placeholder: x (" + here(line + 2) + ") is [?, 2, 3]; a csr matrix has two dimensions");
  CHECK(g.size() == 1);
}

TEST_CASE("variables are dense, and trainable ones floating") {
  Graph g;
  const int line = __LINE__;
  const std::string sparse = refusal([&] { g.variable("v", Tensor({{1, 0}}).to_csr()); });
  const std::string integer = refusal([&] { g.variable("n", zeros({}, int64)); });
  CHECK(sparse == "variable: v (" + here(line + 1) + ") starts from a csr tensor; a variable is dense");
  CHECK(integer == "variable: n (" + here(line + 2) +
                       ") is int64; only float32 and float64 are trainable (give {.trainable = false})");
  const Expr n = g.variable("n", zeros({}, int64), {.trainable = false});
  const Expr w = g.variable("w", zeros({2}, float64));
  const Expr v = g.variable("v", random_normal({2}));
  CHECK(n.name() == "n");  // a refused name is not taken
  const auto same = [](const Expr& a, const Expr& b) { return same_node(a, b); };
  CHECK(std::ranges::equal(g.variables(), std::vector{n, w, v}, same));
  CHECK(std::ranges::equal(g.trainable_variables(), std::vector{w, v}, same));
}

TEST_CASE("assign mistakes") {
  Graph g, other;
  const Expr w = g.variable("w", zeros({2, 3}));
  const std::string at = here(__LINE__ - 1);
  const Expr x = g.placeholder("x", {2, 2});
  const Expr d = g.placeholder("d", {2, 3}, float64);
  const Expr s = g.sparse_placeholder("s", {2, 3});
  const Expr r = scatter_add(g.constant(Tensor({0}, int32), "index"), g.placeholder("u", {1, 3}), {2, 3});
  const int line = __LINE__ - 4;
  const Expr foreign = other.placeholder("foreign", {2, 3});
  CHECK(refusal([&] { g.assign(x, w); }) == "assign: x: float32 [2, 2] (" + here(line) + ") is not a variable");
  CHECK(refusal([&] { g.assign(Expr(), w); }) == "assign: no expression is not a variable");
  CHECK(refusal([&] { g.assign(w, x); }) ==
        "assign: the variable is [2, 3] (w, " + at + ") but the value is [2, 2] (x, " + here(line) + ")");
  CHECK(refusal([&] { g.assign(w, d); }) ==
        "assign: the variable is float32 (w, " + at + ") but the value is float64 (d, " + here(line + 1) + ")");
  CHECK(refusal([&] { g.assign(w, s); }) == "assign: the value is csr (s, " + here(line + 2) + "); use to_dense");
  CHECK(refusal([&] { g.assign(w, r); }) ==
        "assign: the value is rows (scatter_add, " + here(line + 3) + "); use to_dense");
  CHECK(refusal([&] { g.assign(w, foreign); }) == "assign: w and its value foreign belong to different graphs");
  CHECK(refusal([&] { other.assign(w, foreign); }) == "assign: w and its value foreign belong to different graphs");
  CHECK(refusal([&] { g.assign(w, Expr()); }) == "assign: the value of w is no expression");
  CHECK(refusal([&] { g.assign(w, 1); }).starts_with("assign: the variable is [2, 3] (w, " + at));
  CHECK_NOTHROW(g.assign(w, g.placeholder("unknown", {any, 3})));
}

TEST_CASE("group mistakes") {
  Graph g, other;
  const Expr a = g.placeholder("a", {2});
  const Expr b = other.placeholder("b", {2});
  const std::string at = here(__LINE__ - 1);
  CHECK(refusal([&] { g.group({{a, b}}); }) == "group: b: float32 [2] (" + at + ") does not belong to the graph");
  CHECK(refusal([&] { g.group({{a, Expr()}}, "step"); }) == "step: no expression does not belong to the graph");
  CHECK(g.group({}).name() == "group");
}

TEST_CASE("a variable may be named like a literal") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  const Expr y = 2 * x;
  const Expr w = g.variable("2", zeros({2}));
  CHECK(w.name() == "2");
  CHECK(y.input(0).name() == "2");
  CHECK(same_node(g.find("2"), w));
}

}  // namespace
}  // namespace gradus
