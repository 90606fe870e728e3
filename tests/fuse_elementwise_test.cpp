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
    {"subtract_product(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b * c; }},
    {"subtract_quotient(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b / c; }},
    {"divide_by_root(", [](const Expr& a, const Expr& b, const Expr&) { return a / sqrt(b); }},
    {"subtract_divided_by_root(", [](const Expr& a, const Expr& b, const Expr& c) { return a - b / sqrt(c); }},
    {"subtract_product_by_root(", [](const Expr& a, const Expr& b, const Expr& c) { return a - 0.3 * b / sqrt(c); }},
    {"subtract_product_by_root(", [](const Expr& a, const Expr& b, const Expr& c) { return a - c * b / sqrt(b); }},
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

// A batch of `rows` rows with two non-zeros each, over 300 columns of which some are touched.
Tensor some_rows(std::int64_t rows, DType dtype) {
  std::vector<std::int64_t> start{0}, column;
  for (std::int64_t r = 0; r < rows; ++r) {
    column.push_back(r * 7 % 150);
    column.push_back(150 + r * 11 % 149);
    start.push_back(2 * (r + 1));
  }
  return Tensor::csr(rows, 300, start, column, std::vector<double>(column.size(), 0.5)).cast(dtype);
}

void check_same_variables(Graph& g, Session& a, Session& b) {
  for (const Expr& variable : g.variables()) {
    CAPTURE(variable.name());
    CHECK(a.value(variable) == b.value(variable));
  }
}

TEST_CASE("rows that a batch touches: an optimizer's update is the same to the bit") {
  for (const DType dtype : {float32, float64})
    for (const std::int64_t factors : {1, 2, 5, 8, 15, 16, 20, 32, 64, 67}) {
      CAPTURE(factors);
      Graph g;
      const Expr X = g.sparse_placeholder("X", {any, 300}, dtype), y = g.placeholder("y", {any, 1}, dtype);
      const FactorizationMachine fm(X, y, {.factors = factors, .init_stddev = 0.1, .seed = 1});
      const Expr train = Adagrad(0.1).minimize(fm.loss);
      Session fused(g, Device::cpu(), {.threads = 2}), plain(g, Device::cpu(), apart),
          whole(g, Device::cpu(), {.without = {"strips"}});
      for (const std::int64_t rows : {90, 1, 0, 47}) {
        const Feeds feeds{{X, some_rows(rows, dtype)}, {y, random_normal({rows, 1}, {.seed = 3, .dtype = dtype})}};
        CHECK(has(fused.explain(train, feeds), "subtract_product_by_root("));
        CHECK(has(fused.explain(train, feeds), "to its rows of V/Adagrad/accumulator, in the loop of "));
        CHECK(has(fused.explain(train, feeds), "to its rows of W/Adagrad/accumulator, in the loop of "));
        CHECK_FALSE(has(plain.explain(train, feeds), "in the loop of "));
        for (int i = 0; i < 3; ++i)
          for (Session* session : {&fused, &plain, &whole}) session->run(train, feeds);
      }
      check_same_variables(g, fused, plain);
      check_same_variables(g, fused, whole);
    }
}

TEST_CASE("a state that somebody else reads is updated in a loop of its own") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 300}), y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 8, .init_stddev = 0.1, .seed = 1});
  const Expr train = Adagrad(0.1).minimize(fm.loss);
  const Expr state = g.find("V/Adagrad/accumulator");
  const Feeds feeds{{X, some_rows(90, float32)}, {y, random_normal({90, 1}, {.seed = 3})}};
  Session session(g), plain(g, Device::cpu(), apart);
  const auto joins = [&](const std::vector<Expr>& fetches) {
    return has(session.explain(fetches, feeds), "accumulator, in the loop of ");
  };
  CHECK(joins({train}));
  CHECK(joins({train, fm.loss}));
  const std::vector<Expr> fetches{train, state, reduce_sum(state), fm.V};
  for (int i = 0; i < 3; ++i) {
    const std::vector<Tensor> found = session.run(fetches, feeds), expected = plain.run(fetches, feeds);
    for (std::size_t f = 1; f < found.size(); ++f) CHECK(found[f] == expected[f]);
  }
  check_same_variables(g, session, plain);
}

}  // namespace
}  // namespace gradus
