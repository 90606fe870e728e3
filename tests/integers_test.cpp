// Integers: every way in which a number of C++ enters a graph or a tensor keeps all 64 bits, or is refused; products of
// integer matrices, which wrap around; floats cast to integers. Expected values are written out, or computed by a loop.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

using Int64s = std::vector<std::int64_t>;

constexpr std::int64_t big = 9007199254740993;  // 2^53 + 1, which no double is
constexpr std::int64_t greatest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr std::uint64_t too_big = 9223372036854775808U;

Int64s numbers(const Tensor& tensor) {
  const auto span = tensor.span<std::int64_t>();
  return {span.begin(), span.end()};
}

// --- numbers of C++ ------------------------------------------------------------------------------------

TEST_CASE("integers of C++ are exact in the ops") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, int64);
  const Expr flag = g.placeholder("flag", {2}, boolean);
  Session session(g);
  const Feeds feeds = {{x, Tensor({0, 2}, int64)}, {flag, Tensor({false, true}, boolean)}};
  const auto given = [&](const Expr& y) { return numbers(session.run(y, feeds)); };
  CHECK(given(x + big) == Int64s{big, big + 2});
  CHECK(given(x - big) == Int64s{-big, 2 - big});
  CHECK(given(big * x) == Int64s{0, 2 * big});
  CHECK(given(x + greatest) == Int64s{greatest, least + 1});
  CHECK(given(x + least) == Int64s{least, least + 2});
  CHECK(given(x + (too_big - 1)) == Int64s{greatest, least + 1});
  CHECK(given(maximum(x, big)) == Int64s{big, big});
  CHECK(given(minimum(x, -big)) == Int64s{-big, -big});
  CHECK(given(clip_by_value(x, big, greatest)) == Int64s{big, big});
  CHECK(given(squared_difference(x + big, big)) == Int64s{0, 4});
  CHECK(given(floordiv(x + big, big)) == Int64s{1, 1});
  CHECK(given(mod(x + big, big)) == Int64s{0, 2});
  CHECK(given(where(flag, x, big)) == Int64s{big, 2});
  CHECK(given(pow(x + big, 1)) == Int64s{big, big + 2});
  CHECK(given(cast(equal(x + big, big), int64)) == Int64s{1, 0});
  CHECK(given(cast(not_equal(x + big, big - 1), int64)) == Int64s{1, 1});
  CHECK(given(cast(less(x + (big - 1), big), int64)) == Int64s{1, 0});
  CHECK(given(cast(less_equal(x + big, big - 1), int64)) == Int64s{0, 0});
  CHECK(given(cast(greater(x + big, big - 1), int64)) == Int64s{1, 1});
  CHECK(given(cast(greater_equal(x + (big - 1), big), int64)) == Int64s{0, 1});
  CHECK(given(pad(x, {{1, 1}}, big)) == Int64s{big, 0, 2, big});
  CHECK(given(range(g, big, big + 3, 1, int64)) == Int64s{big, big + 1, big + 2});
  CHECK(given(fill({2}, g.constant(Tensor::scalar(big, int64)))) == Int64s{big, big});
  CHECK(given(matmul(reshape(x, {1, 2}), Tensor({{big}, {big}}, int64))) == Int64s{2 * big});
  CHECK(session.run(x * big, feeds).at(1) == 18014398509481986.0);
  // Folded before the run, and shown.
  CHECK(given(g.constant(Tensor::scalar(big, int64)) + x * 0 + g.constant(Tensor::scalar(-1, int64))) ==
        Int64s{big - 1, big - 1});
  CHECK(given(g.constant(Tensor::scalar(big, int64)) + Tensor::scalar(1, int64)) == Int64s{big + 1});
  CHECK(session.explain(x + big, feeds).find("9007199254740993") != std::string::npos);
  // Two that are the same double are two.
  CHECK(given((x + big) - (x + (big - 1))) == Int64s{1, 1});
  CHECK(given(pad(x, {{1, 0}}, big) - pad(x, {{1, 0}}, big - 1)) == Int64s{1, 0, 0});
}

TEST_CASE("integers of C++ are exact in variables") {
  Graph g;
  const Expr n = g.variable("n", Tensor::scalar(1, int64), {.trainable = false});
  const Expr m = g.variable("m", Filled{{2}, big, int64}, {.trainable = false});
  Session session(g);
  CHECK(numbers(session.value(m)) == Int64s{big, big});
  session.run(assign_add(n, big));
  CHECK(numbers(session.value(n)) == Int64s{big + 1});
  session.run(g.assign(n, big));
  CHECK(numbers(session.value(n)) == Int64s{big});
}

TEST_CASE("integers of C++ are exact in tensors") {
  CHECK(numbers(Tensor(big, int64)) == Int64s{big});
  CHECK(numbers(Tensor({{big, least}, {greatest, -big}}, int64)) == Int64s{big, least, greatest, -big});
  CHECK(numbers(full({2}, big, int64)) == Int64s{big, big});
  CHECK(numbers(arange(big, big + 2, 1, int64)) == Int64s{big, big + 1});
  CHECK(numbers(arange(greatest, greatest - 5, -2, int64)) == Int64s{greatest, greatest - 2, greatest - 4});
  CHECK(numbers(arange(least, greatest, std::int64_t{1} << 62U, int64)) ==
        Int64s{least, -(std::int64_t{1} << 62U), 0, std::int64_t{1} << 62U});
  CHECK(numbers(arange(5, 5, 1, int64)).empty());
  CHECK(numbers(arange(5, 0, 1, int64)).empty());
  CHECK(numbers(arange(0, 2.5, 1, int64)) == Int64s{0, 1, 2});
  CHECK(numbers(arange(0, -2.5, -1.0, int64)) == Int64s{0, -1, -2});
  CHECK(refusal<ValueError>([] { arange(0, 1e300, 1, int64); }) ==
        "1e+300 is not an int64; whole numbers from -9223372036854775808 to 9223372036854775807 are");
  CHECK(refusal<ValueError>([] { arange(least, greatest, 1, int64); }) ==
        "arange: from -9223372036854775808 to 9223372036854775807 by 1 are 18446744073709551615 numbers; too many");
  CHECK(refusal<ValueError>([] { arange(0, 3, 0.5, int64); }).starts_with("0.5 is not an int64"));
}

TEST_CASE("integers that no int64 is are refused where an int64 is wanted") {
  Graph g;
  const Expr x = g.placeholder("x", {2}, int64);
  const Expr f = g.placeholder("f", {2}, float64);
  const std::string rule =
      "the number 9.223372036854775808e+18 is not an int64; write an int64, or cast the other operand";
  for (const std::function<Expr()>& make : std::vector<std::function<Expr()>>{
           [&] { return x + too_big; }, [&] { return equal(x, too_big); }, [&] { return clip_by_value(x, 0, too_big); },
           [&] { return x + 0x1p63; }, [&] { return where(less(f, 0.0), too_big, x); }})
    CHECK(refusal(make).find(": the number 9.2233720368547") != std::string::npos);
  CHECK(refusal([&] { pad(x, {{1, 1}}, too_big); }).starts_with("pad: value 9.2233720368547"));
  CHECK(refusal([&] { pad(cast(f, float32), {{1, 1}}, 1e300); }).starts_with("pad: value 1e+300 does not fit x"));
  CHECK(refusal<ValueError>([&] { range(g, 0, too_big, 1, int64); }).find("is not an int64") != std::string::npos);
  CHECK(refusal<ValueError>([] { Tensor(too_big, int64); }).find("is not an int64") != std::string::npos);
  CHECK(
      refusal<ValueError>([] { Tensor({std::int64_t{3000000000}}, int32); }).starts_with("3000000000 is not an int32"));
  CHECK((f + too_big).dtype() == float64);  // a float has it, rounded
}

// --- products ------------------------------------------------------------------------------------------

// matmul modulo 2^64 (and so, cut, modulo 2^32) by three loops.
template <class T>
std::vector<T> product(const std::vector<T>& a, const std::vector<T>& b, std::int64_t m, std::int64_t k, std::int64_t n,
                       bool transpose_a, bool transpose_b) {
  std::vector<T> c;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      std::uint64_t sum = 0;
      for (std::int64_t l = 0; l < k; ++l)
        sum += static_cast<std::uint64_t>(a[static_cast<std::size_t>(transpose_a ? l * m + i : i * k + l)]) *
               static_cast<std::uint64_t>(b[static_cast<std::size_t>(transpose_b ? j * k + l : l * n + j)]);
      c.push_back(static_cast<T>(sum));
    }
  return c;
}

template <class T>
std::vector<T> drawn(std::int64_t count, std::uint64_t seed) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < count; ++i) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    values.push_back(static_cast<T>(seed >> 20U));  // large: sums wrap around
  }
  return values;
}

template <class T>
void check_products() {
  struct Sizes {
    std::int64_t m, k, n;
  };
  for (const auto [m, k, n] : {Sizes{1, 1, 1}, {3, 4, 5}, {70, 33, 17}, {5, 300, 1}, {1, 9, 40}, {2, 0, 3}, {0, 3, 2}})
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const std::vector<T> a = drawn<T>(m * k, 1), b = drawn<T>(k * n, 2);
        const Shape a_shape = ta ? Shape{k, m} : Shape{m, k}, b_shape = tb ? Shape{n, k} : Shape{k, n};
        Graph g;
        const Expr x = g.placeholder("x", a_shape, dtype_of<T>), y = g.placeholder("y", b_shape, dtype_of<T>);
        const Expr c = matmul(x, y, {.transpose_a = ta, .transpose_b = tb});
        const Expr turned = matmul(transpose(x), transpose(y), {.transpose_a = !ta, .transpose_b = !tb});
        const Feeds feeds = {{x, Tensor::from(a, a_shape)}, {y, Tensor::from(b, b_shape)}};
        const Tensor expected = Tensor::from(product(a, b, m, k, n, ta, tb), {m, n});
        Session session(g, Device::cpu(), {.threads = 2});
        CHECK(session.run(c, feeds) == expected);
        CHECK(session.run(turned, feeds) == expected);
        CHECK(session.run(reduce_sum(c, 1), feeds) == session.run(reduce_sum(identity(c) + 0 * c, 1), feeds));
      }
}

TEST_CASE("integer matrices multiply as three loops do, and wrap around") {
  check_products<std::int32_t>();
  check_products<std::int64_t>();
}

TEST_CASE("batches of integer matrices, and what is made of products") {
  Graph g;
  const Expr a = g.placeholder("a", {2, 1, 2, 2}, int32), b = g.placeholder("b", {3, 2, 1}, int32);
  const Expr v = g.placeholder("v", {2}, int64), m = g.placeholder("m", {2, 2}, int64);
  Session session(g);
  const Feeds feeds = {{a, Tensor({{{{1, 2}, {3, 4}}}, {{{0, 1}, {1, 0}}}}, int32)},
                       {b, Tensor({{{1}, {1}}, {{1}, {0}}, {{0}, {2}}}, int32)},
                       {v, Tensor({3, big}, int64)},
                       {m, Tensor({{1, 2}, {3, 4}}, int64)}};
  CHECK(session.run(matmul(a, b), feeds).reshape({12}) == Tensor({3, 7, 1, 3, 4, 8, 1, 1, 0, 1, 2, 0}, int32));
  CHECK(numbers(session.run(dot(v, Tensor({1, 1}, int64)), feeds)) == Int64s{big + 3});
  CHECK(numbers(session.run(outer(v, Tensor({2, 1}, int64)), feeds)) == Int64s{6, 3, 2 * big, big});
  CHECK(numbers(session.run(einsum("ij,j->i", m, v), feeds)) == Int64s{3 + 2 * big, 9 + 4 * big});
}

TEST_CASE("products that are refused") {
  Graph g;
  const Expr flags = g.placeholder("flags", {2, 2}, boolean), whole = g.placeholder("whole", {2, 2}, int32);
  const Expr sparse = g.sparse_placeholder("sparse", {2, 2}, int32);
  CHECK(refusal([&] { matmul(flags, flags); }).starts_with("matmul: a is bool (flags, integers_test.cpp:"));
  CHECK(refusal([&] { matmul(sparse, whole); }).find("float32 or float64, so cast both") != std::string::npos);
  CHECK(refusal([&] { matmul(whole, sparse); }).find("float32 or float64, so cast both") != std::string::npos);
}

// --- casts ---------------------------------------------------------------------------------------------

TEST_CASE("floats beyond the integers give the nearest one, NaN gives 0, in graphs and tensors") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor wide({nan, -nan, inf, -inf, 1e300, -1e300, 0x1p63, -0x1p63, 2147483648.0, -2147483649.0, 2.9, -2.9},
                    float64);
  const Int64s as_int64 = {0, 0, greatest, least, greatest, least, greatest, least, 2147483648, -2147483649, 2, -2};
  constexpr std::int64_t greatest32 = INT32_MAX, least32 = INT32_MIN;
  const Int64s as_int32 = {0,          0,       greatest32, least32, greatest32, least32,
                           greatest32, least32, greatest32, least32, 2,          -2};
  Graph g;
  for (const DType from : {float64, float32}) {
    const Tensor x = from == float64 ? wide : Tensor({nan, -nan, inf, -inf, 3e38, -3e38, 0x1p63, -0x1p63}, float32);
    const auto expected = [&](const Int64s& all) {
      return Int64s(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(x.size()));
    };
    const Expr fed = g.placeholder("x", x.shape(), from);
    Session session(g);
    CHECK(numbers(session.run(cast(fed, int64), {{fed, x}})) == expected(as_int64));
    CHECK(numbers(session.run(cast(fed, int32), {{fed, x}}).cast(int64)) == expected(as_int32));
    CHECK(numbers(session.run(cast(g.constant(x), int64))) == expected(as_int64));  // folded
    CHECK(numbers(x.cast(int64)) == expected(as_int64));
    CHECK(numbers(x.cast(int32).cast(int64)) == expected(as_int32));
  }
  const Tensor wraps = Tensor::from(Int64s{4294967297, -4294967297});
  CHECK(wraps.cast(int32) == Tensor({1, -1}, int32));
}

}  // namespace
}  // namespace gradus
