// Elementwise ops in one loop: the same bits as one after the other, and only where nobody else reads what stands
// between them.
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace gradus {
namespace {

const SessionOptions apart{.without = {"fuse_elementwise"}};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Case {
  const char* fused;
  Expr (*of)(const Expr& a, const Expr& b, const Expr& c);
};

const Case cases[] = {
    {"multiply_add(", [](const Expr& a, const Expr& b, const Expr& c) { return a * b + c; }},
    {"multiply_add(", [](const Expr& a, const Expr& b, const Expr& c) { return c + a * b; }},
    {"multiply_add(", [](const Expr& a, const Expr&, const Expr& c) { return square(a) + c; }},
    {"multiply_add(", [](const Expr& a, const Expr&, const Expr& c) { return 0.3 * a + c; }},
    {"multiply_subtract(", [](const Expr& a, const Expr& b, const Expr& c) { return a * b - c; }},
    {"multiply_subtract(", [](const Expr& a, const Expr&, const Expr& c) { return square(a) - c; }},
    {"multiply_subtract(", [](const Expr& a, const Expr&, const Expr& c) { return 0.3 * a - c; }},
    {"multiply_subtract(", [](const Expr& a, const Expr& b, const Expr&) { return a * b - a; }},
    {"subtract_product(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b * c; }},
    {"subtract_quotient(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b / c; }},
    {"divide_by_root(", [](const Expr& a, const Expr& b, const Expr&) { return a / sqrt(b); }},
    {"subtract_divided_by_root(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b / sqrt(c); }},
    {"subtract_product_by_root(", [](const Expr& a, const Expr& b, const Expr& c) { return a - 0.3 * b / sqrt(c); }},
    {"subtract_product_by_root(", [](const Expr& a, const Expr& b, const Expr& c) { return a - c * b / sqrt(b); }},
    {"sum_of_products(", [](const Expr& a, const Expr& b, const Expr& c) { return a * b + 0.3 * c; }},
    {"sum_of_products(", [](const Expr& a, const Expr& b, const Expr&) { return 0.3 * a + 0.7 * b; }},
    {"add_product_of_square(", [](const Expr& a, const Expr& b, const Expr& c) { return a * b + c * square(a); }},
    {"add_product_of_square(", [](const Expr& a, const Expr& b, const Expr&) { return square(a) * 0.3 + 0.7 * b; }},
    {"add_root(", [](const Expr& a, const Expr& b, const Expr&) { return sqrt(a) + b; }},
    {"add_root(", [](const Expr& a, const Expr&, const Expr&) { return 0.3 + sqrt(a); }},
    {"subtract_quotient_of_product(", [](const Expr& a, const Expr& b, const Expr& c) { return a - 0.3 * b / c; }},
    {"subtract_quotient_of_product(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b * c / b; }},
};

// Numbers of many sizes and both signs, and zeros: quotients may be infinite, and roots no numbers.
Tensor numbers(DType dtype, const Shape& shape, std::uint64_t seed) {
  const Tensor normal = random_normal(shape, {.seed = seed, .dtype = float64});
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape.size(); ++i) values.push_back(std::sinh(4 * normal.stored_value(i)));
  for (std::size_t i = seed; i < values.size(); i += 37) values[i] = 0;
  return Tensor::from(values, shape).cast(dtype);
}

TEST_CASE("in one loop the same bits as one after the other") {
  for (const DType dtype : {float32, float64})
    for (const Shape& shape : {Shape({1}), Shape({0, 3}), Shape({77, 20}), Shape({70001})})
      for (const Case& of : cases) {
        CAPTURE(of.fused);
        Graph g;
        const Expr a = g.placeholder("a", shape, dtype), b = g.placeholder("b", shape, dtype),
                   c = g.placeholder("c", shape, dtype);
        const Expr y = of.of(a, b, c);
        const Feeds feeds{{a, numbers(dtype, shape, 1)}, {b, numbers(dtype, shape, 2)}, {c, numbers(dtype, shape, 3)}};
        Session fused(g), plain(g, Device::cpu(), apart);
        CHECK(has(fused.explain(y), of.fused));
        CHECK(has(fused.explain(y), "1 steps"));
        CHECK_FALSE(has(plain.explain(y), of.fused));
        const Tensor expected = plain.run(y, feeds), found = fused.run(y, feeds);
        const auto bytes = static_cast<std::size_t>(shape.size()) * size_of(dtype);
        CHECK(std::equal(expected.data(), expected.data() + bytes, found.data()));
      }
}

TEST_CASE("operands that broadcast, and numbers") {
  Graph g;
  const Expr a = g.placeholder("a", {60, 1}), b = g.placeholder("b", {60, 20}), c = g.placeholder("c", {20});
  const Expr y = a * b + c, z = b - 0.25 * b, r = (2 * b) / sqrt(c);
  const Feeds feeds{
      {a, numbers(float32, {60, 1}, 1)}, {b, numbers(float32, {60, 20}, 2)}, {c, numbers(float32, {20}, 3)}};
  Session fused(g), plain(g, Device::cpu(), apart);
  const auto expected = plain.run({y, z, r}, feeds), found = fused.run({y, z, r}, feeds);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(std::equal(expected[i].data(), expected[i].data() + 60 * 20 * 4, found[i].data()));
}

TEST_CASE("what somebody else reads, or is smaller than the result, keeps its own loop") {
  Graph g;
  const Expr a = g.placeholder("a", {50, 4}), v = g.placeholder("v", {4}), n = g.placeholder("n", {4}, int32);
  Session session(g);
  const auto fuses = [&](const std::vector<Expr>& fetches) { return has(session.explain(fetches), "multiply_add("); };
  const Expr product = a * v;
  CHECK(fuses({product + a}));
  CHECK_FALSE(fuses({product + a, product}));    // fetched
  CHECK_FALSE(fuses({product + sin(product)}));  // read twice
  CHECK_FALSE(fuses({v * v + a}));               // would be multiplied out for every row
  CHECK_FALSE(fuses({n * n + n}));               // whole numbers
  CHECK_FALSE(has(session.explain(a - product), "multiply_add("));
}

}  // namespace
}  // namespace gradus
