// Plans on values at the ends of the range: random graphs in float32 over {1e-38, 1e38, infinity, NaN, -0, nearly equal
// values}, with all passes and op by op. A rewrite may round otherwise; it may not make an infinity, a NaN or a
// cancellation that was not there, nor mend one that was.
//
// GRADUS_FUZZ=N tries N graphs instead of those of every day; GRADUS_FUZZ_SEED=S begins with seed S.
#include "random_graph.h"
#include "thorough.h"

#include <gradus/core/at.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace gradus {
namespace {

constexpr float inf32 = std::numeric_limits<float>::infinity();
constexpr float nan32 = std::numeric_limits<float>::quiet_NaN();
constexpr float largest = std::numeric_limits<float>::max();

using Passes = std::vector<std::string>;
const SessionOptions op_by_op{.threads = 1,
                              .without = {"fold_constants", "simplify", "reassociate", "share_common_subexpressions",
                                          "store_transposed", "tiles"}};

// Whether a plan's value stands for the one computed op by op: both NaN, the same infinity, or as near as `tolerance`.
bool same(float expected, float found, double tolerance) {
  if (std::isnan(expected) || std::isnan(found)) return std::isnan(expected) && std::isnan(found);
  if (std::isinf(expected) || std::isinf(found)) return expected == found;
  const double difference = std::abs(static_cast<double>(expected) - static_cast<double>(found));
  return !std::isfinite(tolerance) || difference <= tolerance + 1e-6 * std::abs(static_cast<double>(expected)) + 1e-44;
}

std::vector<float> elements(const Tensor& tensor) {
  const Tensor dense = tensor.to_dense();
  const auto values = dense.span<float>();
  return {values.begin(), values.end()};
}

class RangeGraph {
 public:
  RangeGraph(std::uint64_t seed, bool sums_fit) : dice_(seed), sums_fit_(sums_fit), extreme_(dice_.chance(0.6)) {
    for (const Shape& shape : {Shape({3, 4}), Shape({4, 3}), Shape({4}), Shape({3, 1}), Shape({})}) {
      const Expr x = g.variable(fmt::format("x{}", nodes.size()), draw(shape));
      nodes.push_back(x);
      operands_.push_back(x);
      variables_.push_back(x);
    }
    while (nodes.size() < 20) add();
    const Expr loss = reduce_sum(nodes.back());
    std::vector<bool> leads(static_cast<std::size_t>(g.size()), false);
    leads[at(loss.id())] = true;
    for (NodeId id = loss.id(); id >= 0; --id)
      for (int i = 0; leads[at(id)] && i < g[id].arity(); ++i) leads[at(g[id].input(i).id())] = true;
    std::erase_if(variables_, [&](const Expr& x) { return !leads[at(x.id())]; });
    if (!variables_.empty())
      for (const Expr& gradient : gradients(loss, variables_)) nodes.push_back(gradient);
  }

  /// Each element by its last bit, up or down; what is not in the range stays.
  Tensor moved(const Tensor& tensor) {
    Tensor out = Tensor::uninitialized(tensor.type());
    auto* const to = reinterpret_cast<float*>(out.writable_data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.stored()); ++i) {
      const float x = tensor.span<float>()[i];
      const bool stays = x == 0 || !std::isfinite(x) || std::abs(x) == largest;
      to[i] = stays ? x : std::nextafter(x, dice_.chance(0.5) ? inf32 : -inf32);
    }
    return out;
  }

  Graph g;
  std::vector<Expr> nodes;

 private:
  float value() {
    if (sums_fit_)
      return dice_.pick(
          {1e-38F, 1e-30F, -1e-19F, -0.0F, 0.0F, 1.0F, 1.0F + 1e-6F, -2.0F, 0.001F, 1e3F, -1e6F, 1e9F, nan32});
    if (!extreme_) return dice_.pick({1.0F, 1.0F + 1e-6F, 1.0F - 1e-6F, -1.0F, 20000.0F, 20000.01F, 0.5F, 3.0F});
    return dice_.pick(
        {1e-38F, 1e38F, -1e38F, 2e38F, largest, 1e-30F, -0.0F, 0.0F, 1.0F, -2.0F, 0.001F, inf32, -inf32, nan32, 1e19F});
  }
  Tensor draw(const Shape& shape) {
    Tensor tensor = Tensor::uninitialized({float32, shape, Layout::dense});
    const bool few_specials = dice_.chance(0.7);
    auto* const to = reinterpret_cast<float*>(tensor.writable_data());
    for (std::int64_t i = 0; i < shape.size(); ++i) {
      do to[i] = value();
      while (few_specials && !std::isfinite(to[i]));
    }
    return tensor;
  }
  double number() { return dice_.pick({2.0, 0.5, 0.001, 3.0, -1.0, 1000.0, 1.0, -0.25, 10.0}); }
  Expr any_node() { return dice_.pick(operands_); }
  Expr matrix() {
    for (;;)
      if (const Expr e = any_node(); e.rank() == 2) return e;
  }

  void add() {
    const Expr a = any_node(), b = any_node();
    const Expr m = matrix(), other = matrix();
    const auto fits = [&] { return broadcast(a.shape(), b.shape()).has_value(); };
    Expr made;
    const std::int64_t way = dice_.below(16);
    switch (way) {
      case 0: made = number() * a; break;
      case 1: made = a / number(); break;
      case 2:
        if (fits()) made = dice_.chance(0.5) ? a + b : a - b;
        break;
      case 3:
        if (fits()) made = a * b;
        break;
      case 4:
        if (fits()) made = a / b;
        break;
      case 5: made = dice_.chance(0.5) ? square(a) : pow(a, dice_.pick({1.0, 2.0, 3.0, 4.0, 5.0, -1.0, 0.5})); break;
      case 6: made = dice_.pick<Expr (*)(const Operand&)>({negative, abs, relu, tanh, sigmoid, sqrt})(a); break;
      case 7: made = reduce_sum(m, dice_.below(2) == 0 ? 0 : 1, dice_.chance(0.5) ? keep_dims : KeepDims::no); break;
      case 8: made = reduce_mean(m, dice_.below(2) == 0 ? 0 : 1, keep_dims); break;
      case 9: made = transpose(m); break;
      case 10:
      case 11:
        if (m.shape()[1] == other.shape()[0]) made = matmul(m, other);
        break;
      case 12:
        if (m.shape()[1] == other.shape()[0]) made = reduce_sum(number() * matmul(m, square(other)), 1, keep_dims);
        break;
      case 13:
        if (m.shape() == other.shape()) made = reduce_sum(m * other, dice_.below(2) == 0 ? 0 : 1, keep_dims);
        break;
      case 14:
        if (m.shape()[1] == other.shape()[0])
          made = reduce_sum(square(matmul(m, other)) - matmul(square(m), square(other)), 1, keep_dims);
        break;
      default:
        if (m.shape()[1] == other.shape()[0]) made = matmul(m, other) - matmul(m, number() * other);
        break;
    }
    if (!made.valid() || made.shape().size() > 16) return;
    nodes.push_back(made);
    // What remains of a sum that cancels is rounding: where that may be regrouped, nothing is computed from it.
    if (!sums_fit_ || way < 14) operands_.push_back(made);
  }

  Dice dice_;
  bool
      sums_fit_;  // whether values are such that a sum of sixteen of them, or of their squares, is in range if they are
  bool extreme_;
  std::vector<Expr> operands_;  // nodes that others are made of
  std::vector<Expr> variables_;
};

// How far each element of a node moves where the variables are moved by their last bit.
class Spread {
 public:
  Spread(RangeGraph& random, Session& reference) {
    for (int m = 0; m < 4; ++m) {
      moved_.push_back(std::make_unique<Session>(random.g, Device::cpu(), op_by_op));
      for (const Expr& x : random.g.variables()) moved_.back()->assign(x, random.moved(reference.value(x)));
    }
  }
  std::vector<double> of(const Expr& node, const std::vector<float>& expected) {
    std::vector<double> spread(expected.size(), 0);
    for (const auto& session : moved_) {
      const std::vector<float> there = elements(session->run(node));
      for (std::size_t i = 0; i < there.size(); ++i)
        spread[i] = std::max(spread[i], std::abs(static_cast<double>(there[i]) - static_cast<double>(expected[i])));
    }
    return spread;
  }

 private:
  std::vector<std::unique_ptr<Session>> moved_;
};

// By node: the largest value on the way to it; infinity where a sum or a power left the range.
std::vector<double> largest_on_the_way(Graph& g, Session& reference) {
  std::vector<double> most(static_cast<std::size_t>(g.size()), 0);
  for (NodeId id = 0; id < g.size(); ++id) {
    if (g[id].dtype() != float32 || g[id].kind() == Kind::group) continue;
    for (const float x : elements(reference.run(g[id])))
      if (!std::isnan(x)) most[at(id)] = std::max(most[at(id)], std::abs(static_cast<double>(x)));
    for (int i = 0; i < g[id].arity(); ++i) most[at(id)] = std::max(most[at(id)], most[at(g[id].input(i).id())]);
  }
  return most;
}

// Compares all nodes of a graph; returns what differs first.
std::string difference(RangeGraph& random, bool regroups) {
  Session planned(random.g, Device::cpu(), {.threads = 1, .without = regroups ? Passes{} : Passes{"reassociate"}});
  Session reference(random.g, Device::cpu(), op_by_op);
  Spread spread(random, reference);
  const std::vector<double> most = largest_on_the_way(random.g, reference);
  for (const Expr& node : random.nodes) {
    if (regroups && most[at(node.id())] > 1e38) continue;
    const std::vector<float> expected = elements(reference.run(node)), found = elements(planned.run(node));
    if (expected.size() != found.size()) return "another size";
    const std::vector<double> moved = spread.of(node, expected);
    for (std::size_t i = 0; i < expected.size(); ++i)
      if (!same(expected[i], found[i], regroups ? 1e-6 * most[at(node.id())] : 16 * moved[i]))
        return fmt::format("%{}: {} instead of {}\n{}\n{}", node.id(), found[i], expected[i],
                           listing(random.g, {&node, 1}), planned.explain(node));
  }
  return {};
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

void compare_graphs(bool regroups) {
  const std::uint64_t begin = from_environment("GRADUS_FUZZ_SEED", 1);
  const std::uint64_t end = begin + from_environment("GRADUS_FUZZ", thorough() ? 300 : 60);
  int failures = 0;
  for (std::uint64_t seed = begin; seed < end && failures < 3; ++seed) {
    RangeGraph random(seed, regroups);
    const std::string how = difference(random, regroups);
    if (how.empty()) continue;
    ++failures;
    FAIL_CHECK(fmt::format("seed {}: {}", seed, how));
  }
}

TEST_CASE("on any values: a plan that regroups no sum is as op by op") { compare_graphs(false); }

TEST_CASE("where no sum or power leaves the range: a plan is as op by op") { compare_graphs(true); }

// --- the cases that such graphs were found by ---------------------------------------------------------------

float run_number(const Expr& e, const SessionOptions& options = {}) {
  Session session(e.graph(), Device::cpu(), options);
  return session.run(e).to_dense().span<float>()[0];
}

TEST_CASE("a factor is not moved out of a sum that would overflow without it") {
  Graph g;
  const Expr x = g.variable("x", full({4}, 2e38));
  CHECK(run_number(reduce_sum(0.001 * x)) == doctest::Approx(8e35));
  CHECK(run_number(reduce_mean(0.001 * x)) == doctest::Approx(2e35));
  CHECK(run_number(reduce_sum(x / 1000)) == doctest::Approx(8e35));
  CHECK(run_number(reduce_sum(-0.25 * (x * 0.001))) == doctest::Approx(-2e35));
}

TEST_CASE("factors are joined only where no product between them leaves the range") {
  Graph g;
  const Expr x = g.variable("x", full({1}, 2e38)), tiny = g.variable("tiny", full({1}, 1e-38));
  CHECK(run_number((x * 2) * 0.5) == inf32);
  CHECK(run_number(x * 3 / 3) == inf32);
  CHECK(run_number(0.001 * (1000 * x)) == inf32);
  CHECK(run_number(2 * (0.5 * x)) == 2e38F);
  CHECK(run_number(1000 * (1e-7 * tiny)) == run_number(1000 * (1e-7 * tiny), op_by_op));
}

TEST_CASE("a division by a constant is IEEE's") {
  Graph g;
  const Tensor values = random_normal({8000}, {.seed = 1}).draw(0);
  const Expr x = g.constant(values);
  for (const double c : {3.0, 7.0, 10.0, 0.1, 8.0, 0.25, -6.0}) {
    Session session(g);
    const Tensor quotients = session.run(x / c);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < 8000; ++i)
      wrong += quotients.span<float>()[at(i)] != values.span<float>()[at(i)] / static_cast<float>(c);
    CHECK(wrong == 0);
  }
}

TEST_CASE("products of one matrix stay apart: infinity - infinity is NaN") {
  Graph g;
  const Expr a = g.constant(full({2, 2}, 1)), x = g.variable("x", full({2, 1}, double{largest}));
  const Expr y = g.variable("y", full({2, 1}, double{largest}));
  CHECK(std::isnan(run_number(matmul(a, x) - matmul(a, y))));
  const Expr csr = g.constant(full({2, 2}, 1).to_csr());
  CHECK(std::isnan(run_number(matmul(csr, x) - matmul(csr, y))));
}

TEST_CASE("the cross entropy of large logits keeps what is left of them, and its slope at 0 is right") {
  Graph g;
  const Expr z = g.constant(Tensor({1.0F, 1.0F, 1.0F, 0.0F, 0.0F, 1.0F}));
  const Expr x = g.variable("x", Tensor({15.0F, 10.0F, 100.0F, -15.0F, 15.0F, 0.0F}));
  const Expr loss = sigmoid_cross_entropy_with_logits(z, x);
  Session session(g);
  const Tensor found = session.run(loss);
  const double right[] = {3.059023e-07, 4.539890e-05, 0, 3.059023e-07, 15.000000306, 0.6931472};
  for (std::int64_t i = 0; i < 6; ++i) CHECK(found.span<float>()[at(i)] == doctest::Approx(right[i]).epsilon(1e-5));
  CHECK(session.run(gradients(loss, {x})[0]).span<float>()[5] == -0.5F);
}

TEST_CASE("the residual of a good fit is summed as it is written") {
  Graph g;
  const std::int64_t n = 20, k = 8, m = 400;
  const Tensor a = random_uniform({n, k}, {.low = 20, .high = 80, .seed = 1}).draw(0);
  const Tensor b = random_uniform({k, m}, {.low = 20, .high = 80, .seed = 2}).draw(0);
  const Expr A = g.constant(a), B = g.constant(b);
  const Expr noise = 0.005 * g.constant(random_normal({n, m}, {.seed = 3}).draw(0));
  const Expr Y = g.variable("Y", Session(g).run(matmul(A, B) - noise));
  Session planned(g), reference(g, Device::cpu(), op_by_op);
  const Expr residual = reduce_sum(matmul(A, B) - Y, 1);
  const Tensor found = planned.run(residual), expected = reference.run(residual);
  for (std::int64_t i = 0; i < n; ++i)
    CHECK(found.span<float>()[at(i)] == doctest::Approx(expected.span<float>()[at(i)]).epsilon(0.01));
}

}  // namespace
}  // namespace gradus
