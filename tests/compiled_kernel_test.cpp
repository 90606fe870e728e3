// Kernels that the machine's compiler makes: the bits of the ops' own loops, for every elementwise op, however operands
// lie, with one thread and with several, in the middle of a training. CTest sets GRADUS_COMPILE=now for these: a plan
// waits for its kernels.
#include "golden_file.h"
#include "op_cases.h"
#include "op_table.h"
#include "special_values.h"
#include "thorough.h"

#include <gradus/core/kernel/compiled_kernel.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

namespace gradus {
namespace {

constexpr std::int64_t rows = 8192, columns = 24;

// What elementwise formulas find hard, again and again, at other places for each seed.
Tensor hard_values(const Type& type, std::uint64_t seed) {
  constexpr double values[] = {0.5,  -1.25,    3,         1e-3,         -0.0,  0,     1,
                               -1,   88,       -104,      2.5,          -7.5,  1e-38, -1e38,
                               1e38, infinity, -infinity, not_a_number, 1e-45, 20,    -0.3};
  const Tensor which = random_uniform({type.shape.size()}, {.low = 0, .high = std::size(values) - 0.001, .seed = seed});
  Tensor tensor = Tensor::uninitialized(type);
  dispatch(type.dtype, [&]<class T>(TypeTag<T>) {
    T* to = reinterpret_cast<T*>(tensor.writable_data());
    for (const float x : which.span<float>()) {
      const double value = values[static_cast<std::size_t>(x)];
      if constexpr (std::is_same_v<T, bool>) {
        *to++ = value > 0;
      } else if constexpr (std::is_integral_v<T>) {
        *to++ = static_cast<T>(std::isfinite(value) ? std::clamp(value, -1e9, 1e9) : 7);
      } else {
        *to++ = static_cast<T>(value);
      }
    }
  });
  return tensor;
}

// To the bit, but for the sign and the payload of a NaN, which compilers may choose.
bool same_numbers(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type() || a.stored() != b.stored()) return false;
  bool same = true;
  dispatch(a.type().dtype, [&]<class T>(TypeTag<T>) {
    const T* x = reinterpret_cast<const T*>(a.data());
    const T* y = reinterpret_cast<const T*>(b.data());
    for (std::int64_t i = 0; i < a.stored(); ++i)
      same = same && (std::memcmp(x + i, y + i, sizeof(T)) == 0 || (x[i] != x[i] && y[i] != y[i]));
  });
  return same;
}

std::vector<Tensor> run_with(Graph& g, std::span<const Expr> fetches, const std::vector<Feed>& feeds,
                             const SessionOptions& options) {
  Session session(g, Device::cpu(), options);
  return session.run(fetches, feeds);
}

// A golden case's op on large operands, the second of this shape, between two other steps.
struct LargeCase {
  LargeCase(const OpCase& row, const GoldenCase& golden, const Shape& second, const Mode& mode) {
    for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
      const Type type{dtype_in(mode, golden.inputs[i].type().dtype), i == 1 ? second : Shape({rows, columns}),
                      Layout::dense};
      inputs.push_back(graph.placeholder(fmt::format("x{}", i), type.shape, type.dtype));
      feeds.push_back({inputs.back(), hard_values(type, i + 1)});
    }
    const Expr y = row.build(inputs);
    const Expr number = is_floating(y.dtype()) ? y : cast(y, float32);
    fetches = {y, square(number) - number};
  }
  Graph graph;
  Inputs inputs;
  std::vector<Feed> feeds;
  std::vector<Expr> fetches;
};

// Complains where a compiled plan of the case gives other numbers than one whose ops run in their own loops. Returns
// how many kernels there were.
int check_large(LargeCase& large, const Complain& complain) {
  std::vector<Tensor> expected;
  try {
    expected = run_with(large.graph, large.fetches, large.feeds, {.threads = 1, .without = {"compile"}});
  } catch (const ValueError&) {
    return 0;  // integers divided by 0: such an op is no part of a kernel
  }
  const std::vector<Tensor> found = run_with(large.graph, large.fetches, large.feeds, {.threads = 2});
  for (std::size_t f = 0; f < expected.size(); ++f)
    if (!same_numbers(expected[f], found[f])) complain(fmt::format("fetch {}", f));
  int compiled = 0;
  Session session(large.graph);
  for (const StepKernel& kernel : session.steps(large.fetches, large.feeds).kernels) {
    compiled += kernel.state.starts_with("compiled") ? 1 : 0;
    if (!kernel.state.starts_with("compiled")) complain(kernel.state + "\n" + kernel.text);
  }
  return compiled;
}

// One op in `share`.
int check_table(int share, std::span<const Shape> seconds, std::span<const bool> narrows) {
  REQUIRE(compiling() == Compiling::now);
  const std::vector<OpCase> table = elementwise_cases();
  std::set<std::string> seen;
  int compiled = 0;
  const auto check = [&](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    std::string key = row.name;
    for (const Tensor& input : golden.inputs) key += fmt::format(" {}", input.type().dtype);
    const auto known =
        std::find_if(table.begin(), table.end(), [&](const OpCase& one) { return one.name == row.name; });
    const bool elementwise = known != table.end() && (known - table.begin()) % share == 0;
    const bool dense = std::all_of(golden.inputs.begin(), golden.inputs.end(),
                                   [](const Tensor& input) { return input.type().layout == Layout::dense; });
    if (!elementwise || !dense || !seen.insert(key).second) return;
    for (const Shape& second : seconds.first(golden.inputs.size() > 1 ? seconds.size() : 1))
      for (const bool narrow : narrows) {
        LargeCase large(row, golden, second, {.name = "large", .narrow = narrow});
        compiled += check_large(large, [&](const std::string& what) {
          complain(fmt::format("{} beside {}, {}: {}", large.inputs[0].type(), second, key, what));
        });
      }
  };
  for_all_cases("compiled", check, [](const std::string& what) { FAIL_CHECK(what); });
  return compiled;
}

TEST_CASE("compiled kernels: every elementwise op gives the bits of its own loop") {
  const int share = thorough() ? 1 : 8;
  CHECK(check_table(share, std::array{Shape({columns})}, std::array{true}) > 60 / share);
}

// Whether all kernels are compiled, and some have one of these in their texts.
bool has_texts(Graph& g, std::span<const Expr> fetches, const std::vector<Feed>& feeds,
               std::initializer_list<std::string_view> some) {
  Session session(g);
  bool all = true, found = false;
  for (const StepKernel& kernel : session.steps(fetches, feeds).kernels) {
    all = all && kernel.state.starts_with("compiled");
    for (const std::string_view text : some) found = found || kernel.text.find(text) != std::string::npos;
  }
  return all && found;
}

// Of what a kernel computes, or of what is a view of it, it sums rows, in lanes where these are long enough, and over
// rows, by pieces; of a small one also all.
TEST_CASE("compiled kernels: sums along the last axes, the first ones, those between, and all") {
  struct Case {
    Shape shape;
    std::vector<Axes> axes;
    DType dtype = float32;
  };
  const std::vector<Case> cases = {
      {{60'000, 2}, {{0}, {1}, {0, 1}}},
      {{20'000, 8}, {{0}, {1}}},
      {{20'000, 9}, {{0}, {1}}, float64},
      {{8'000, 31}, {{0}, {1}}},
      {{8'000, 33}, {{0}, {1}}, float64},
      {{6'000, 100}, {{0}, {1}}},
      {{200, 1'500}, {{0}, {1}, {0, 1}}},
      {{9'000, 5, 8}, {{0, 1}, {2}, {0}, {1}}},
      {{9'000, 3, 16}, {{1, 2}, {0, 1}}},
      {{9'001, 1, 40}, {{0}, {1, 2}}},
      {{7, 1}, {{0}, {0, 1}}},
      {{5, 16}, {{0}, {1}, {0, 1}}},
      {{3, 1'365}, {{0, 1}, {1}}},
      {{40, 3}, {{0, 1}, {0}}, float64},
      {{2, 3, 4}, {{0}, {1, 2}, {0, 1, 2}}},
      {{1, 31}, {{0}, {0, 1}}},
      {{64, 60}, {{0, 1}}},
      {{700, 45, 16}, {{1}, {0, 1}}},
      {{300, 40, 2, 9}, {{1}, {1, 2}, {2}}, float64},
      {{2, 3, 4}, {{1}, {0}}},
      {{600, 1'500}, {{0, 1}, {1}}},
      {{9'000, 16, 8}, {{0, 1, 2}, {0}}},
      {{60'000, 3}, {{0, 1}}, float64},
      {{150'000}, {{0}}},
      {{300, 200}, {{0}, {1}}},
  };
  for (std::size_t i = 0; i < cases.size(); i += thorough() ? 1 : 6) {
    const Case& c = cases[i];
    CAPTURE(to_string(c.shape));
    Graph g;
    const Expr x = g.placeholder("x", c.shape, c.dtype);
    const Expr b = g.placeholder("b", {c.shape[c.shape.rank() - 1]}, c.dtype);
    const Expr a = g.placeholder("a", c.shape, c.dtype);
    const Expr y = x * b + 1;
    std::vector<Expr> fetches;
    for (const Axes& axes : c.axes) {
      fetches.push_back(reduce_sum(y, axes));
      fetches.push_back(reduce_sum(expand_dims(y, c.shape.rank()), axes));
      fetches.push_back(reduce_mean(square(y) * a - b, axes));
      fetches.push_back(reduce_sum(x * a - y / 3, axes));
    }
    const std::vector<Feed> feeds = {{x, random_normal(c.shape, {.seed = 1, .dtype = c.dtype}).draw(0)},
                                     {b, random_normal(b.shape(), {.seed = 2, .dtype = c.dtype}).draw(0)},
                                     {a, random_normal(c.shape, {.seed = 3, .dtype = c.dtype}).draw(0)}};
    const std::vector<Tensor> expected = run_with(g, fetches, feeds, {.threads = 1, .without = {"compile"}});
    const std::vector<Tensor> one = run_with(g, fetches, feeds, {.threads = 1});
    const std::vector<Tensor> two = run_with(g, fetches, feeds, {.threads = 2});
    for (std::size_t f = 0; f < fetches.size(); ++f) {
      CAPTURE(f);
      CHECK(same_numbers(expected[f], one[f]));
      CHECK(same_numbers(run_with(g, fetches, feeds, {.threads = 2, .without = {"compile"}})[f], two[f]));
    }
    CHECK(has_texts(g, fetches, feeds, {"sum_rows<", "sum_middle<", "RowsSum<", "WholeSum<"}));
  }
}

// Of rows too short for vectors so many are computed at once that they are not: with operands that are the same along
// one of the last two axes.
TEST_CASE("compiled kernels: short rows by chunks") {
  REQUIRE(compiling() == Compiling::now);
  for (const Shape& shape : {Shape({700, 16, 8}), Shape({900, 12, 4}), Shape({300, 5, 8, 2}), Shape({400, 6, 8})})
    for (const DType dtype : {float32, float64}) {
      CAPTURE(to_string(shape));
      CAPTURE(dtype);
      const int last = shape.rank() - 1;
      Graph g;
      std::vector<Feed> feeds;
      const auto operand = [&](const Shape& of) {
        const std::uint64_t seed = feeds.size() + 1;
        feeds.push_back(
            {g.placeholder(fmt::format("x{}", seed), of, dtype), hard_values({dtype, of, Layout::dense}, seed)});
        return feeds.back().placeholder;
      };
      const Expr x = operand(shape), tiled = operand(shape.with(last - 1, 1)), repeated = operand(shape.with(last, 1)),
                 row = operand(Shape({shape[last - 1], shape[last]})), a = operand({1});
      const Expr y = (x - tiled) / row * a, z = where(greater(x, tiled), y * repeated, sigmoid(repeated) - tiled);
      const std::vector<Expr> fetches{y, z, reduce_sum(z * row, 0), reduce_sum(minimum(y, row), last)};
      const std::vector<Tensor> expected = run_with(g, fetches, feeds, {.threads = 1, .without = {"compile"}});
      const std::vector<Tensor> found = run_with(g, fetches, feeds, {.threads = 1});
      for (std::size_t f = 0; f < fetches.size(); ++f) CHECK(same_numbers(expected[f], found[f]));
      CHECK(has_texts(g, fetches, feeds, {"m += 16"}));
      CHECK(has_texts(g, fetches, feeds, {"tile<"}));
      CHECK(has_texts(g, fetches, feeds, {"repeat<"}));
    }
}

// Takes half a minute where nothing is kept.
TEST_CASE("compiled kernels: every elementwise op, on all dtypes and however an operand lies" * doctest::skip()) {
  const std::array seconds{Shape({columns}), Shape({rows, columns}), Shape({rows, 1}), Shape({1})};
  CHECK(check_table(1, seconds, std::array{false, true}) > 300);
}

}  // namespace
}  // namespace gradus
