// ==, <, !, && and their kin are ops of expressions, as + is; whether two are one node is asked by name.
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <concepts>
#include <type_traits>

namespace gradus {
namespace {

// An expression is no condition of C++: `if (greater(a, 1))` does not compile.
static_assert(!std::is_constructible_v<bool, Expr> && !std::is_convertible_v<Expr, bool>);
static_assert(std::same_as<decltype(Expr() == Expr()), Expr> && std::same_as<decltype(Expr() != 1.0), Expr>);
static_assert(std::same_as<decltype(1 < Expr()), Expr> && std::same_as<decltype(Expr() && true), Expr>);

TEST_CASE("comparisons by operators are the ops of the same meaning, on either side a number or a tensor") {
  Graph g;
  const Expr a = g.constant(Tensor({1, 2, 3})), b = g.constant(Tensor({3, 2, 1}));
  Session session(g);
  const auto is = [&](const Expr& found, const Expr& expected) {
    return found.dtype() == boolean && session.run(found) == session.run(expected);
  };
  CHECK(is(a == b, equal(a, b)));
  CHECK(is(a != b, not_equal(a, b)));
  CHECK(is(a < b, less(a, b)));
  CHECK(is(a <= b, less_equal(a, b)));
  CHECK(is(a > b, greater(a, b)));
  CHECK(is(a >= b, greater_equal(a, b)));
  CHECK(is(a > 1, greater(a, 1)));
  CHECK(is(2 >= a, greater_equal(2, a)));
  CHECK(is(a == Tensor({1, 5, 3}), equal(a, Tensor({1, 5, 3}))));
  CHECK(is(a > 1 && b > 1, logical_and(greater(a, 1), greater(b, 1))));
  CHECK(is(a > 2 || b > 2, logical_or(greater(a, 2), greater(b, 2))));
  CHECK(is(!(a == b), not_equal(a, b)));
  CHECK(session.run(where(a == b, 1.0, a)) == Tensor({1, 1, 3}));
}

TEST_CASE("a comparison carries the line where it stands") {
  Graph g;
  const Expr a = g.constant(Tensor({1, 2, 3}));
  const Expr c = a < 2;
  CHECK(c.where().line == __LINE__ - 1);
}

TEST_CASE("whether two expressions are one node") {
  Graph g, other;
  const Expr a = g.constant(Tensor({1.0F})), b = g.constant(Tensor({1.0F})), copy = a;
  CHECK(same_node(a, copy));
  CHECK(!same_node(a, b));
  CHECK(!same_node(a, other.constant(Tensor({1.0F}))));
  CHECK(same_node(Expr(), Expr()));
  CHECK(!same_node(a, Expr()));
}

}  // namespace
}  // namespace gradus
