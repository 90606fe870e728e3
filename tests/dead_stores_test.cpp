// A store that nobody could read is not made: of several assigns of one variable in a run, those before the last of all
// of it. With and without the pass a run leaves the same.
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace gradus {
namespace {

const SessionOptions storing{.without = {"drop_dead_stores"}};

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("of two assigns the first stores nothing") {
  Graph g;
  const Expr v = g.variable("v", ones({3}));
  const Expr first = g.assign(v, v + 1), second = g.assign(v, v * 4);
  const Expr both = g.group({{first, second}});
  Session session(g), plain(g, Device::cpu(), storing);
  // What is stored once may be written in place, and what is not stored is not computed either.
  CHECK(session.explain(both).find("in place of v") != std::string::npos);
  CHECK(count(session.explain(both), "add(") == 0);
  CHECK(count(plain.explain(both), "v is copied from") == 2);
  for (int i = 0; i < 3; ++i) {
    session.run(both);
    plain.run(both);
    CHECK(session.value(v) == plain.value(v));
  }
  CHECK(session.value(v) == full({3}, 64));
}

TEST_CASE("who reads a dead assign gets its value") {
  Graph g;
  const Expr v = g.variable("v", ones({3}));
  const Expr first = g.assign(v, v + 1), second = g.assign(v, v * 4);
  const Expr sum = first + second;
  Session session(g), plain(g, Device::cpu(), storing);
  for (Session* const s : {&session, &plain}) {
    const auto [a, b] = s->run({first, sum});
    CHECK(a == full({3}, 2));
    CHECK(b == full({3}, 6));
    CHECK(s->value(v) == full({3}, 4));
  }
}

TEST_CASE("an assign of rows leaves the others to the one before it") {
  Graph g;
  const Expr v = g.variable("v", zeros({4, 2}));
  const Expr all = g.assign(v, v + 1);
  const Expr rows = GradientDescent(1).minimize(reduce_sum(gather(v, g.constant(Tensor({1, 3}, int32)))));
  const Expr again = g.assign(v, v + 5);
  Session session(g), plain(g, Device::cpu(), storing);
  for (Session* const s : {&session, &plain}) {
    s->run(g.group({{all, rows}}));
    CHECK(s->value(v) == Tensor({1, 1, -1, -1, 1, 1, -1, -1}, float32).reshape({4, 2}));
    s->run(g.group({{all, rows, again}}));  // all of it is stored last
    CHECK(s->value(v) == Tensor({6, 6, 4, 4, 6, 6, 4, 4}, float32).reshape({4, 2}));
  }
}

TEST_CASE("assigns of different variables, and one that is not run, all stay") {
  Graph g;
  const Expr v = g.variable("v", ones({3})), w = g.variable("w", ones({3}));
  const Expr a = g.assign(v, w + 1), b = g.assign(w, v * 4);
  g.assign(v, zeros({3}));  // never fetched
  Session session(g);
  session.run(g.group({{a, b}}));
  CHECK(session.value(v) == full({3}, 2));
  CHECK(session.value(w) == full({3}, 4));
}

}  // namespace
}  // namespace gradus
