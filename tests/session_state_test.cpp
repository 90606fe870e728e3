// What sessions keep: variables and their first values, what a run sees of them and what it changes, and that a run
// that fails changes nothing.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

namespace gradus {
namespace {

Expr new_variable(Graph& g, std::string_view name, const Tensor& value) { return g.variable(name, value); }

// --- variables -------------------------------------------------------------------------------------------

TEST_CASE("initial values depend on seed and name, not on the order of creation") {
  Graph forward, backward;
  const auto make = [](Graph& g, std::string_view name, std::uint64_t seed) {
    return g.variable(name, random_normal({3, 4}, {.seed = seed}));
  };
  const Expr a1 = make(forward, "a", 7), b1 = make(forward, "b", 7), c1 = make(forward, "c", 8);
  const Expr c2 = make(backward, "c", 8), b2 = make(backward, "b", 7), a2 = make(backward, "a", 7);
  Session first(forward), second(backward);
  CHECK(first.value(a1) == second.value(a2));
  CHECK(second.run(b2) == first.run(b1));
  CHECK(first.value(c1) == second.value(c2));
  CHECK_FALSE(first.value(a1) == first.value(b1));
  Graph other_seed;
  CHECK_FALSE(Session(other_seed).value(make(other_seed, "a", 8)) == first.value(a1));
  CHECK(first.value(a1) == random_normal({3, 4}, {.seed = 7}).draw(stream_of("a")));
}

TEST_CASE("initialize, value and assign") {
  Graph g;
  const Expr w = g.variable("w", Tensor({1, 2}));
  const std::string at = here(__LINE__ - 1);
  const Expr x = g.placeholder("x", {2});
  Session session(g);
  const Tensor before = session.value(w);
  session.assign(w, Tensor({3, 4}));
  CHECK(session.value(w) == Tensor({3, 4}));
  CHECK(session.run(w + 1) == Tensor({4, 5}));
  CHECK(before == Tensor({1, 2}));  // a copy
  session.initialize();
  CHECK(session.value(w) == Tensor({1, 2}));
  const auto type_error = [](auto&& f) { return refusal<TypeError>(f); };
  CHECK(type_error([&] {
          session.assign(w, Tensor({1, 2}, float64));
        }) == "assign: the variable w (" + at + ") is float32 [2] but the value is float64 [2]");
  CHECK(type_error([&] {
          session.assign(w, Tensor({1, 2, 3}));
        }) == "assign: the variable w (" + at + ") is float32 [2] but the value is float32 [3]");
  const std::string not_one = "x: float32 [2] (" + here(__LINE__ - 16) + ") is not a variable of the session's graph";
  CHECK(type_error([&] { session.assign(x, Tensor({1, 2})); }) == "assign: " + not_one);
  CHECK(type_error([&] { session.value(x); }) == "value: " + not_one);
  CHECK(type_error([&] { session.value(Expr()); }) == "value: no expression is not a variable of the session's graph");
  Graph other;
  const Expr foreign = other.variable("w", zeros({2}));
  CHECK(type_error([&] {
          session.assign(foreign, Tensor({1, 2}));
        }).ends_with(") is not a variable of the session's graph"));
}

TEST_CASE("a variable that starts from one number everywhere") {
  Graph g;
  const Expr table = g.variable("table", Filled{{300, 7}, 0.25, float64});
  const Expr count = g.variable("count", Filled{{2}, 3, int64}, {.trainable = false});
  const Expr none = g.variable("none", Filled{{0, 4}});
  Session session(g);
  CHECK(table.type() == Type{float64, {300, 7}, Layout::dense});
  CHECK(session.value(table) == full({300, 7}, 0.25, float64));
  CHECK(session.value(count) == full({2}, 3, int64));
  CHECK(session.value(none) == zeros({0, 4}));
  session.run(g.assign(table, table + 1));
  CHECK(session.value(table) == full({300, 7}, 1.25, float64));
  session.initialize();
  CHECK(session.value(table) == full({300, 7}, 0.25, float64));
  CHECK_THROWS_AS(g.variable("half", Filled{{2}, 0.5, int32}, {.trainable = false}), Error);
  CHECK(refusal<TypeError>([&] {
          g.variable("rows", Filled{{any, 4}});
        }).find("starts from shape [?, 4]; all of its dimensions must be known") != std::string::npos);
}

TEST_CASE("a graph may grow after the session was made") {
  Graph g;
  const Expr a = new_variable(g, "a", Tensor({1, 2}));
  Session session(g);
  const Expr twice = 2 * a;
  CHECK(session.run(twice) == Tensor({2, 4}));
  for (int i = 0; i < 50; ++i) {
    const Expr more = new_variable(g, "more", Tensor({i, i}));
    CHECK(session.run(twice + more) == Tensor({2 + i, 4 + i}));
    CHECK(session.run(twice) == Tensor({2, 4}));  // an old plan
  }
}

// --- what a run sees -------------------------------------------------------------------------------------

TEST_CASE("reads see the state from before the run, wherever they stand") {
  Graph g;
  const Expr w = new_variable(g, "w", Tensor({1, 2}));
  const Expr step = g.assign(w, w * 10);
  const Expr after = w + 0.5;  // made later, reads the old value all the same
  Session session(g);
  const auto [stepped, read] = session.run({step, after});
  CHECK(stepped == Tensor({10, 20}));
  CHECK(read == Tensor({1.5, 2.5}));
  CHECK(session.value(w) == Tensor({10, 20}));
}

TEST_CASE("a variable fetched together with its update is the old value") {
  Graph g;
  const Expr w = new_variable(g, "w", Tensor({1, 2}));
  const Expr step = g.assign(w, w + 1);
  Session session(g);
  for (int i = 0; i < 3; ++i) {
    const auto [value, stepped, flat] = session.run({w, step, reshape(w, {2, 1})});
    CHECK(value == Tensor({1 + i, 2 + i}));
    CHECK(stepped == Tensor({2 + i, 3 + i}));
    CHECK(flat == Tensor({{1 + i}, {2 + i}}));
  }
}

TEST_CASE("two variables swap, three rotate") {
  Graph g;
  const Expr a = new_variable(g, "a", Tensor({1, 2})), b = new_variable(g, "b", Tensor({3, 4})),
             c = new_variable(g, "c", Tensor({5, 6}));
  const Expr swap = g.group({{g.assign(a, b), g.assign(b, a)}});
  const Expr rotate = g.group({{g.assign(a, b), g.assign(b, identity(c)), g.assign(c, a + 0)}});
  Session session(g);
  CHECK(session.run(swap).size() == 0);
  CHECK(session.value(a) == Tensor({3, 4}));
  CHECK(session.value(b) == Tensor({1, 2}));
  session.run(rotate);
  CHECK(session.value(a) == Tensor({1, 2}));
  CHECK(session.value(b) == Tensor({5, 6}));
  CHECK(session.value(c) == Tensor({3, 4}));
}

TEST_CASE("a variable assigned to another that is updated in the same run") {
  Graph g;
  const Expr a = new_variable(g, "a", Tensor({1, 2})), old = new_variable(g, "old", Tensor({0, 0}));
  const Expr keep = g.assign(old, a);
  const Expr step = g.assign(a, a * 2);
  Session session(g);
  for (const auto& fetches : {std::vector<Expr>{keep, step}, std::vector<Expr>{step, keep}}) {
    session.initialize();
    session.run(fetches);
    session.run(fetches);
    CHECK(session.value(a) == Tensor({4, 8}));
    CHECK(session.value(old) == Tensor({2, 4}));
  }
}

TEST_CASE("one value for two variables; a chain of updates") {
  Graph g;
  const Expr a = new_variable(g, "a", Tensor({1, 2})), b = new_variable(g, "b", Tensor({3, 4}));
  const Expr sum = a + b;
  const Expr both = g.group({{g.assign(a, sum), g.assign(b, sum)}});
  const Expr new_a = g.assign(a, a * 2);
  const Expr chain = g.group({{new_a, g.assign(b, b + new_a)}});
  Session session(g);
  session.run(both);
  CHECK(session.value(a) == Tensor({4, 6}));
  CHECK(session.value(b) == Tensor({4, 6}));
  session.run(chain);
  CHECK(session.value(a) == Tensor({8, 12}));
  CHECK(session.value(b) == Tensor({12, 18}));
}

TEST_CASE("two assigns to one variable in one run are refused, and nothing has changed") {
  Graph g;
  const Expr n = g.variable("n", Tensor({1.0F})), w = g.variable("w", Tensor({1, 2}));
  const Expr one = assign_add(n, 1), ten = assign_add(n, 10);
  const std::string n_at = here(__LINE__ - 2), at = here(__LINE__ - 1);
  const Expr move = g.assign(w, w + 1);
  Session session(g);
  const std::string twice = ": the variable n (" + n_at + ") would be assigned twice in one run, by assign (" + at +
                            ") and by assign_1 (" + at + "); run one after the other, or assign what both make of it";
  CHECK(refusal<ValueError>([&] { session.run({move, one, ten}); }) == "run" + twice);
  CHECK(refusal<ValueError>([&] { session.run(g.group({{one, ten}})); }) == "run" + twice);
  CHECK(refusal<ValueError>([&] { session.run(one * ten); }) == "run" + twice);
  CHECK(refusal<ValueError>([&] { session.explain(g.group({{one, ten}})); }) == "explain" + twice);
  CHECK(session.value(n) == Tensor({1.0F}));
  CHECK(session.value(w) == Tensor({1, 2}));
  session.run({one, one});  // one assign, fetched twice
  session.run(ten);
  CHECK(session.value(n) == Tensor({12.0F}));
}

TEST_CASE("two minimize over one variable in one run are refused") {
  Graph g;
  const Expr w = g.variable("w", Tensor({1, 2}));
  const Expr a = GradientDescent(0.1).minimize(reduce_sum(square(w))), b = GradientDescent(0.1).minimize(reduce_sum(w));
  Session session(g);
  CHECK_THROWS_AS(session.run({a, b}), ValueError);
  CHECK(session.value(w) == Tensor({1, 2}));
}

TEST_CASE("updates of shapes that are read out of step") {
  Graph g;
  const Expr m = new_variable(g, "m", Tensor({{1, 2}, {3, 4}}));
  const Expr v = new_variable(g, "v", Tensor({1, 2}));
  const Expr step = g.group({{g.assign(m, m + transpose(m)), g.assign(v, v + reduce_sum(v))}});
  const Expr flip = g.assign(m, transpose(m));
  const Expr tile_row = g.assign(m, m + reshape(slice(m, {0, 0}, {1, 2}), {1, 2}));
  Session session(g);
  session.run(step);
  CHECK(session.value(m) == Tensor({{2, 5}, {5, 8}}));
  CHECK(session.value(v) == Tensor({4, 5}));
  session.initialize();
  session.run(flip);
  CHECK(session.value(m) == Tensor({{1, 3}, {2, 4}}));
  session.run(tile_row);
  CHECK(session.value(m) == Tensor({{2, 6}, {3, 7}}));
}

TEST_CASE("a value of unknown shape is checked against the variable in the run") {
  Graph g;
  const Expr w = g.variable("w", zeros({2}));
  const Expr x = g.placeholder("x", {any});
  const std::string w_at = here(__LINE__ - 2), x_at = here(__LINE__ - 1);
  const Expr set = g.assign(w, x);
  Session session(g);
  session.run(set, {{x, Tensor({1, 2})}});
  CHECK(session.value(w) == Tensor({1, 2}));
  CHECK(refusal<TypeError>([&] {
          session.run(set, {{x, Tensor({1})}});
        }) == "assign: the variable is [2] (w, " + w_at + ") but the value is [1] (x, " + x_at + ")");
}

TEST_CASE("a run that fails changes no variable") {
  Graph g;
  const Expr a = new_variable(g, "a", Tensor({1, 2}));
  const Expr b = new_variable(g, "b", Tensor({3, 4}));
  const Expr c = new_variable(g, "c", Tensor({5, 6}));
  const Expr count = g.variable("count", Tensor(7, int32), {.trainable = false});
  const Expr index = g.placeholder("index", {2}, int32);
  const Expr divisor = g.placeholder("divisor", {}, int32);
  const Expr table = g.constant(Tensor({10, 20}), "table");
  const Expr new_a = g.assign(a, a + 1);
  // Values that fail: computed alone, out of another new value, and in integers.
  const Expr alone = g.group({{new_a, g.assign(b, gather(table, index)), g.assign(c, c * 2)}});
  const Expr of_new = g.group({{new_a, g.assign(b, gather(new_a, index)), g.assign(c, c * 2)}});
  const Expr integers =
      g.group({{new_a, g.assign(count, floordiv(count, divisor)), g.assign(c, c * cast(divisor, float32))}});
  Session session(g);
  const auto unchanged = [&] {
    return session.value(a) == Tensor({1, 2}) && session.value(b) == Tensor({3, 4}) &&
           session.value(c) == Tensor({5, 6}) && session.value(count) == Tensor(7, int32);
  };
  const Tensor good({1, 0}, int32), bad({0, 2}, int32);
  for (const Expr& train : {alone, of_new}) {
    CHECK_THROWS_AS(session.run(train, {{index, bad}}), ValueError);
    CHECK(unchanged());
  }
  CHECK_THROWS_AS(session.run(integers, {{divisor, Tensor(0, int32)}}), ValueError);
  CHECK(unchanged());
  session.run(of_new, {{index, good}});
  CHECK(session.value(a) == Tensor({2, 3}));
  CHECK(session.value(b) == Tensor({3, 2}));
  CHECK(session.value(c) == Tensor({10, 12}));
}

TEST_CASE("a failed run may be repeated with the same random numbers") {
  Graph g;
  const Expr index = g.placeholder("index", {1}, int32);
  const Expr noise = random_uniform(g, {4});
  const Expr y = gather(noise, index);
  Session session(g), other(g);
  CHECK_THROWS_AS(session.run(y, {{index, Tensor({9}, int32)}}), ValueError);
  CHECK(session.run(noise) == other.run(noise));
  CHECK_FALSE(session.run(noise) == Tensor(other.value(g.variable("w", zeros({4})))));
  CHECK_FALSE(session.run(noise) == session.run(noise));
}

}  // namespace
}  // namespace gradus
