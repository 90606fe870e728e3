// What the shape ops refuse, word for word, and the lines that nodes carry.
#include "shapes_cases.h"

#include <cmath>

using namespace gradus;
using namespace gradus::shapes;

namespace {

// "(X, shapes_errors_test.cpp:14)".
std::string source(std::string_view name, int line) { return shapes::source(name, "shapes_errors_test.cpp", line); }

}  // namespace

TEST_CASE("what does not fit is refused in these words") {
  Graph g;
  const int line = __LINE__ + 1;
  const Expr X = g.placeholder("X", {2, 3});
  const Expr U = g.placeholder("U", {any, 3});
  const Expr S = g.sparse_placeholder("S", {4, 3});
  const Expr I = g.placeholder("I", {4}, int32);
  const Expr Z = g.placeholder("Z", {2, 0});
  const Expr c = g.placeholder("c", {});
  const Expr D = g.placeholder("D", {2, 3}, float64);
  const Expr B = g.placeholder("B", {2, 3}, boolean);
  const std::string x = "[2, 3] " + source("X", line);
  const std::string u = "[?, 3] " + source("U", line + 1);
  const std::string sparse = "csr " + source("S", line + 2);
  const auto type_error = [](const std::function<void()>& f) { return refusal<TypeError>(f); };
  const auto value_error = [](const std::function<void()>& f) { return refusal<ValueError>(f); };

  CHECK(type_error([&] { reshape(X, {4, 2}); }) == "reshape: x is " + x + "; 6 elements do not fit [4, 2]");
  CHECK(type_error([&] { reshape(X, {4, any}); }) == "reshape: x is " + x + "; 6 elements do not fit [4, ?]");
  CHECK(type_error([&] {
          reshape(X, {any, any});
        }) == "reshape: x is " + x + "; [?, ?] leaves 2 dimensions open, and only one can be worked out");
  CHECK(type_error([&] { reshape(U, {4, 2}); }) == "reshape: x is " + u + "; no multiple of 3 elements fits [4, 2]");
  CHECK(type_error([&] { reshape(S, {12}); }) ==
        "reshape: x is " + sparse + "; only dense operands fit, and to_dense(x) writes the zeros out");
  CHECK(type_error([&] { expand_dims(X, 3); }) ==
        "expand_dims: no axis 3 can be added; x is " + x + " and takes a new one at -3 to 2");
  CHECK(type_error([&] { squeeze(X, 0); }) == "squeeze: axis 0 cannot go; x is " + x + " and only axes of size 1 can");
  CHECK(type_error([&] { squeeze(U); }) ==
        "squeeze: x is " + u + "; name the axes to drop, since an unknown dimension may be 1 in one run only");
  CHECK(type_error([&] { squeeze(X, 2); }) == "squeeze: there is no axis 2; rank 2 has axes -2 to 1");
  CHECK(type_error([&] { squeeze(X, {1, -1}); }) == "squeeze: axis -1 is named twice; rank 2 has axes -2 to 1");
  CHECK(type_error([&] { transpose(X, {0, 3}); }) == "transpose: perm names axis 3; x is " + x + " with axes -2 to 1");
  CHECK(type_error([&] { transpose(X, {0}); }) == "transpose: perm [0] names 1 axes; x is " + x + " with 2");
  CHECK(type_error([&] { transpose(X, {0, -2}); }) == "transpose: perm [0, -2] names axis 0 twice; x is " + x);
  CHECK(type_error([&] {
          transpose(S, {0, 1});
        }) ==
        "transpose: x is " + sparse + "; perm [0, 1] leaves it as it is, and a csr matrix takes only the reversal");
  CHECK(type_error([&] {
          broadcast_to(X, {2, 4});
        }) == "broadcast_to: x is " + x + ", which does not broadcast to [2, 4]");
  CHECK(type_error([&] {
          broadcast_to(X, {any, 3});
        }) == "broadcast_to: [?, 3] has unknown dimensions; broadcast_like takes a shape from the run");
  CHECK(type_error([&] { broadcast_like(X, I); }) ==
        "broadcast_like: x is " + x + " but like is [4] " + source("I", line + 3) + ", to which it does not broadcast");
  CHECK(type_error([&] { sum_like(X, I); }) ==
        "sum_like: x is " + x + " but like is [4] " + source("I", line + 3) + ", which does not broadcast to it");
  CHECK(type_error([&] { sum_like(B, c); }) ==
        "sum_like: x is bool " + source("B", line + 7) + "; numbers can be summed, so cast(x, int64) first");
  CHECK(type_error([&] { fill({2}, X); }) == "fill: value is " + x + "; one number, [], is taken");
  CHECK(type_error([&] { fill({any}, c); }) ==
        "fill: [?] has unknown dimensions; broadcast_like takes a shape from the run");
  CHECK(type_error([&] { ones_like(S); }) ==
        "ones_like: x is " + sparse + "; only dense operands fit, and to_dense(x) writes the zeros out");
  CHECK(value_error([&] { range(g, 0, 1, 0); }) ==
        "range: start 0, limit 1, delta 0; all must be finite, and delta not 0");

  CHECK(type_error([&] {
          concat({X, Z}, 0);
        }) == "concat: value 1 is [2, 0] " + source("Z", line + 4) + " but value 0 is " + x +
                  "; sizes 0 and 3 of axis 1 differ");
  CHECK(type_error([&] {
          concat({X, D}, 0);
        }) == "concat: value 1 is float64 " + source("D", line + 6) + " but value 0 is float32 " + source("X", line) +
                  "; dtypes differ");
  CHECK(type_error([&] {
          concat({X, c}, 0);
        }) == "concat: value 1 is [] " + source("c", line + 5) + " but value 0 is " + x + "; ranks differ");
  CHECK(type_error([&] { concat({X, X}, 2); }) == "concat: there is no axis 2; value 0 is " + x + " with axes -2 to 1");
  CHECK(type_error([&] {
          concat({c, c}, 0);
        }) == "concat: there is no axis 0; value 0 is [] " + source("c", line + 5) + " with no axes");
  CHECK(type_error([&] {
          concat({X, S}, 0);
        }) == "concat: value 1 is " + sparse + "; only dense operands fit, and to_dense(value 1) writes the zeros out");
  const int here = __LINE__ + 1;  // not within CHECK: compilers differ in the lines of a macro's arguments
  const auto concat_nothing = [] { concat(std::vector<Expr>{}, 0); };
  CHECK(type_error(concat_nothing) ==
        fmt::format("concat: no values (shapes_errors_test.cpp:{}); at least one is needed", here));
  CHECK(type_error([&] {
          stack({X, Z});
        }) == "stack: value 1 is [2, 0] " + source("Z", line + 4) + " but value 0 is " + x +
                  "; sizes 0 and 3 of axis 1 differ");
  CHECK(type_error([&] { stack({X, X}, 3); }) == "stack: there is no axis 3; rank 3 has axes -3 to 2");
  CHECK(type_error([&] { split(X, 2, 1); }) == "split: x is " + x + "; 2 parts do not divide axis 1 evenly");
  CHECK(type_error([&] { split(U, 2); }) == "split: x is " + u + "; axis 0 must be known when the graph is built");
  CHECK(value_error([&] { split(X, 0); }) == "split: 0 parts are asked of x, which is " + x + "; at least 1 is right");
  const int there = __LINE__ + 1;
  const auto split_tensor = [] { split(zeros({2}), 2); };
  CHECK(type_error(split_tensor) ==
        fmt::format(
            "split: x (shapes_errors_test.cpp:{}) is a number or a tensor of no graph; graph.constant(x) makes it a "
            "node",
            there));
  CHECK(type_error([&] { slice(X, {0, 2}, {1, 2}); }) == "slice: begin 2 and size 2 leave axis 1; x is " + x);
  CHECK(type_error([&] { slice(X, {-1, 0}, {1, 1}); }) == "slice: begin -1 and size 1 leave axis 0; x is " + x);
  CHECK(type_error([&] {
          slice(X, {0}, {1, 1});
        }) == "slice: begin [0] and size [1, 1] name 1 and 2 axes; x is " + x + " with 2");
  CHECK(type_error([&] { pad(X, {{0, 1}}); }) == "pad: paddings {{0, 1}} name 1 axes; x is " + x + " with 2");
  CHECK(type_error([&] {
          pad(X, {{0, -1}, {0, 0}});
        }) == "pad: paddings {{0, -1}, {0, 0}} cannot be added to x, which is " + x +
                  "; counts are at least 0 and fit 64 bits");
  CHECK(type_error([&] {
          pad(I, {{1, 1}}, 0.5);
        }) == "pad: value 0.5 does not fit x, which is int32 " + source("I", line + 3));
  CHECK(type_error([&] { tile(X, {2}); }) == "tile: multiples [2] name 1 axes; x is " + x + " with 2");
  CHECK(type_error([&] {
          tile(X, {2, -1});
        }) == "tile: x is " + x + "; multiple -1 of axis 1 is not a count that fits");
  CHECK(type_error([&] { one_hot(X, 3); }) ==
        "one_hot: indices is float32 " + source("X", line) + "; int32 or int64 is right");
  CHECK(value_error([&] { one_hot(I, -1); }) == "one_hot: depth is -1; at least 0 is right");
  CHECK(type_error([&] { cumsum(X, 2); }) == "cumsum: there is no axis 2; x is " + x + " with axes -2 to 1");
  CHECK(type_error([&] { cumsum(B); }) ==
        "cumsum: x is bool " + source("B", line + 7) + "; numbers can be summed, so cast(x, int64) first");
  CHECK(type_error([&] { argmax(Z, 1); }) ==
        "argmax: x is [2, 0] " + source("Z", line + 4) + "; axis 1 is empty and has no extreme");
  CHECK(type_error([&] { argmin(X, -3); }) == "argmin: there is no axis -3; x is " + x + " with axes -2 to 1");
  CHECK(type_error([&] { random_uniform_like(I); }) ==
        "random_uniform_like: x is int32 " + source("I", line + 3) + "; float32 or float64 is right");
  CHECK(value_error([&] { dropout(X, 1); }) == "dropout: rate is 1; it lies in [0, 1)");
  CHECK(value_error([&] { dropout(X, std::nan("")); }) == "dropout: rate is nan; it lies in [0, 1)");

  CHECK(type_error([&] { einsum("ij,ij->i", X, Z); }) ==
        "einsum: a is " + x + " but b is [2, 0] " + source("Z", line + 4) + "; sizes 3 and 0 of j differ");
  CHECK(type_error([&] { einsum("ijk,ij->i", X, X); }) == "einsum: a is " + x + " but \"ijk\" names 3 axes");
  CHECK(value_error([&] { einsum("ij,jk,kl->il", X, X); }) == "einsum: \"ij,jk,kl->il\" names 3 operands; 2 are given");
  CHECK(value_error([&] { einsum("ij->", X, X); }) == "einsum: \"ij->\" names 1 operand; 2 are given");
  CHECK(value_error([&] { einsum("ij,ij->", X); }) == "einsum: \"ij,ij->\" names 2 operands; 1 is given");
  CHECK(value_error([&] { einsum("ij,ij->ii", X, X); }) ==
        "einsum: \"ij,ij->ii\" names i twice in \"ii\"; once is right");
  CHECK(type_error([&] { einsum("ii,ij->i", X, X); }) ==
        "einsum: \"ii,ij->i\" names i twice of an operand that is " + x + "; its sizes must be known, and equal");
  CHECK(value_error([&] { einsum("...i->i", X); }) ==
        "einsum: \"...i->i\" leaves ... out of the result; it must have what ... stands for");
  CHECK(type_error([&] { einsum("ij...k", X); }) == "einsum: a is " + x + "; \"ij...k\" names more axes");
  CHECK(value_error([&] { einsum("..ij->ij", X); }) ==
        "einsum: \"..ij->ij\" contains '.'; letters, ..., commas and -> are right");
  CHECK(value_error([&] { einsum("i1,ij->i", X, X); }) ==
        "einsum: \"i1,ij->i\" contains '1'; letters, ..., commas and -> are right");
  CHECK(value_error([&] { einsum("ij,ij->k", X, X); }) == "einsum: \"ij,ij->k\" asks for k, which no operand has");
  CHECK(type_error([&] { einsum("ij,ij,jk->ik", X, X, X); }) ==
        "einsum: a is " + x + " but c is " + x + "; sizes 3 and 2 of j differ");
  CHECK(type_error([&] { dot(X, c); }) == "dot: a is " + x + "; a vector is right");
  CHECK(type_error([&] { outer(I, X); }) == "outer: b is " + x + "; a vector is right");

  const Expr V = g.placeholder("V", {any});
  const Expr W = g.placeholder("W", {any});
  const int at_v = __LINE__ - 2;
  Session session(g);
  CHECK(type_error([&] {
          session.run(dot(V, W), {{V, zeros({1})}, {W, zeros({3})}});
        }) ==
        "dot: a is [1] " + source("V", at_v) + " but b is [3] " + source("W", at_v + 1) + "; sizes 1 and 3 differ");
  const Expr E = g.placeholder("E", {any, any, any});
  const int at_e = __LINE__ - 1;
  CHECK(type_error([&] { einsum("abi,ij->abj", E, X); }) ==
        "einsum: a is [?, ?, ?] " + source("E", at_e) + " and b is " + x +
            "; the product takes a reshape to [?, ?, 3], in which one unknown size can be worked out, not more");
}

TEST_CASE("nodes of functions that make several carry the line of the call") {
  Graph g;
  const Expr X = g.placeholder("X", {2, 2});
  const auto line_of = [](const Expr& e) { return e.where().line; };
  const int line = __LINE__ + 1;
  const Expr stacked = stack({X, X});
  const Expr joined = concat({X, X}, 0);
  const Expr part = split(X, 2)[1];
  const Expr dropped = dropout(X, 0.5);
  const Expr product = einsum("ij,kj->ik", X, X);
  CHECK(line_of(stacked) == line);
  CHECK(line_of(stacked.input(1)) == line);
  CHECK(line_of(joined) == line + 1);
  CHECK(line_of(part) == line + 2);
  CHECK(line_of(dropped) == line + 3);
  CHECK(line_of(dropped.input(0)) == line + 3);
  CHECK(line_of(product) == line + 4);
  CHECK(line_of(product.input(1)) == line + 4);
}
