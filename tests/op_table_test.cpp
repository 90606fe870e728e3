// Drives the op table: every row with every golden case of its name. Types inferred are types computed; values and
// gradients are the oracle's, in float64 with known and with unknown shapes, and in float32; central differences
// confirm the gradients and the gradients of the gradients. Rows and golden cases must match, and ops.h's list must be
// covered.
#include "golden_file.h"
#include "op_cases.h"

#include <gradus/core/session.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

using namespace gradus;

namespace {

// The op index, as it stands in ops.h.
const std::set<std::string_view> all_ops = {"add",
                                            "subtract",
                                            "multiply",
                                            "divide",
                                            "pow",
                                            "maximum",
                                            "minimum",
                                            "squared_difference",
                                            "floordiv",
                                            "mod",
                                            "negative",
                                            "abs",
                                            "sign",
                                            "exp",
                                            "expm1",
                                            "log",
                                            "log1p",
                                            "sqrt",
                                            "rsqrt",
                                            "square",
                                            "reciprocal",
                                            "sigmoid",
                                            "log_sigmoid",
                                            "tanh",
                                            "relu",
                                            "leaky_relu",
                                            "softplus",
                                            "sin",
                                            "cos",
                                            "tan",
                                            "erf",
                                            "floor",
                                            "ceil",
                                            "round",
                                            "clip_by_value",
                                            "equal",
                                            "not_equal",
                                            "less",
                                            "less_equal",
                                            "greater",
                                            "greater_equal",
                                            "logical_and",
                                            "logical_or",
                                            "logical_not",
                                            "isnan",
                                            "isfinite",
                                            "where",
                                            "mask",
                                            "cast",
                                            "identity",
                                            "stop_gradient",
                                            "reduce_sum",
                                            "reduce_mean",
                                            "reduce_max",
                                            "reduce_min",
                                            "reduce_prod",
                                            "reduce_any",
                                            "reduce_all",
                                            "reduce_logsumexp",
                                            "norm",
                                            "argmax",
                                            "argmin",
                                            "cumsum",
                                            "reshape",
                                            "transpose",
                                            "expand_dims",
                                            "squeeze",
                                            "broadcast_to",
                                            "concat",
                                            "stack",
                                            "split",
                                            "slice",
                                            "pad",
                                            "tile",
                                            "gather",
                                            "scatter_add",
                                            "one_hot",
                                            "shape_of",
                                            "size_of",
                                            "zeros_like",
                                            "ones_like",
                                            "fill",
                                            "range",
                                            "broadcast_like",
                                            "sum_like",
                                            "reshape_like",
                                            "to_dense",
                                            "to_csr",
                                            "sample",
                                            "split_rows",
                                            "matmul",
                                            "dot",
                                            "outer",
                                            "einsum",
                                            "softmax",
                                            "log_softmax",
                                            "softmax_cross_entropy_with_logits",
                                            "sigmoid_cross_entropy_with_logits",
                                            "l2_loss",
                                            "dropout",
                                            "random_normal",
                                            "random_uniform",
                                            "random_uniform_like",
                                            "assign_add",
                                            "part_of"};

// Ops that no table of values can hold; op_state_test.cpp has them.
const std::set<std::string_view> no_golden_value = {
    "dropout", "random_normal", "random_uniform", "random_uniform_like", "assign_add", "part_of"};

// One way to run a golden case.
struct Mode {
  const char* name;
  bool narrow = false;  // floats as float32, int32 as int64
  bool known = true;    // whether placeholders are declared with their shapes
};

DType dtype_in(const Mode& mode, DType dtype) {
  if (!mode.narrow) return dtype;
  return dtype == float64 ? float32 : dtype == int32 ? int64 : dtype;
}

// A row's call in a graph of its own, fed with one golden case.
struct Built {
  Built(const OpCase& row, const GoldenCase& golden, const Mode& mode) {
    std::vector<Tensor> values;
    for (const Tensor& input : golden.inputs) {
      const Tensor value = input.cast(dtype_in(mode, input.dtype()));
      const std::vector<std::int64_t> unknown(static_cast<std::size_t>(value.rank()), any);
      const Expr x = graph.placeholder(fmt::format("x{}", inputs.size()), mode.known ? value.shape() : Shape(unknown),
                                       value.dtype());
      inputs.push_back(x);
      feeds.push_back({x, value});
      if (is_floating(value.dtype())) floating.push_back(x);
    }
    y = row.build(inputs);
    if (golden.has_gradients) {
      const Expr dense = y.layout() == Layout::dense ? y : to_dense(y);
      derivatives = gradients(reduce_sum(dense * golden.weights.cast(y.dtype())), floating, Unconnected::zero);
    }
  }

  Graph graph;
  Inputs inputs;
  std::vector<Expr> floating;  // the inputs that gradients are taken by
  std::vector<Feed> feeds;
  Expr y;
  std::vector<Expr> derivatives;
};

using Complain = std::function<void(const std::string&)>;

void check_type(const OpCase& row, const GoldenCase& golden, const Mode& mode, const Expr& y, const Tensor& value,
                const Complain& complain) {
  const bool shapes_agree = mode.known ? y.shape() == value.shape() : matches(y.shape(), value.shape());
  if (y.dtype() != value.dtype() || y.layout() != value.layout() || !shapes_agree) {
    complain(fmt::format("inferred {}, computed {}", to_string(y.type()), to_string(value.type())));
  }
  const DType expected = row.fixed_dtype ? golden.output.dtype() : dtype_in(mode, golden.output.dtype());
  if (value.dtype() != expected) {
    complain(fmt::format("the result is {} instead of {}", to_string(value.dtype()), to_string(expected)));
  }
}

void check_case(const OpCase& row, const GoldenCase& golden, const Mode& mode, const Complain& complain) {
  Built built(row, golden, mode);
  std::vector<Expr> fetches = {built.y};
  fetches.insert(fetches.end(), built.derivatives.begin(), built.derivatives.end());
  Session session(built.graph);
  const std::vector<Tensor> got = session.run(fetches, built.feeds);
  check_type(row, golden, mode, built.y, got[0], complain);

  const double rtol = mode.narrow ? row.tolerance32 : 1e-12;
  const double atol = golden.relative ? 0 : mode.narrow ? row.tolerance32 / 10 : 1e-13;
  const bool exact = !is_floating(golden.output.dtype());
  const std::string wrong = disagreement(got[0], golden.output, exact ? 0 : rtol, exact ? 0 : atol);
  if (!wrong.empty()) complain("value: " + wrong);
  if (!golden.has_gradients) return;

  std::size_t next = 1;
  for (std::size_t i = 0; i < built.inputs.size(); ++i) {
    if (!golden.gradients[i]) continue;
    const Tensor& derivative = got[next++];
    // A sum of many terms rounds in proportion to the terms, which are near 1.
    const std::string apart = disagreement(derivative, *golden.gradients[i], rtol, mode.narrow ? rtol : 1e-13);
    if (!apart.empty()) complain(fmt::format("gradient by x{}: {}", i, apart));
    if (derivative.dtype() != built.inputs[i].dtype()) {
      complain(fmt::format("gradient by x{} is {}", i, to_string(derivative.type())));
    }
  }
}

void check_differences(const OpCase& row, const GoldenCase& golden, const Complain& complain) {
  if (golden.differences == 0 || !is_floating(golden.output.dtype())) return;
  Built built(row, golden, {"float64"});
  if (!is_floating(built.y.dtype()) || built.y.dtype() != float64) return;
  const GradientCheck first = check_gradients(built.y, built.floating, built.feeds);
  if (!first) complain("first order: " + first.report);
  if (golden.differences == 1 || !row.first_order_only.empty()) return;
  for (const Expr& derivative : built.derivatives) {
    const GradientCheck second = check_gradients(derivative, built.floating, built.feeds);
    if (!second) complain("second order: " + second.report);
  }
}

// Calls check(row, golden case, complain) for all of the table; what is thrown is a complaint too.
template <class Check>
void for_all_cases(const char* what, Check check) {
  std::map<std::string, const GoldenRow*> golden;
  for (const GoldenRow& row : golden_ops()) golden[row.name] = &row;
  for (const OpCase& row : op_cases()) {
    if (!golden.contains(row.name)) continue;
    for (const GoldenCase& input : golden[row.name]->cases) {
      const Complain complain = [&](const std::string& complaint) {
        FAIL_CHECK(fmt::format("{}, \"{}\", {}: {}", row.name, input.name, what, complaint));
      };
      try {
        check(row, input, complain);
      } catch (const std::exception& thrown) {
        complain(fmt::format("threw {}", thrown.what()));
      }
    }
  }
}

}  // namespace

TEST_CASE("op table: every row has golden cases, every golden case a row, every op a row") {
  std::set<std::string> rows, golden;
  std::set<std::string_view> covered;
  const std::vector<OpCase> table = op_cases();
  for (const OpCase& row : table) {
    CHECK_MESSAGE(rows.insert(row.name).second, "two rows named " << row.name);
    covered.insert(op_of(row.name));
  }
  for (const GoldenRow& row : golden_ops()) {
    CHECK_MESSAGE(golden.insert(row.name).second, "two golden rows named " << row.name);
    CHECK_MESSAGE(!row.cases.empty(), row.name << " has no golden case");
    CHECK_MESSAGE(rows.contains(row.name), "ops.json has \"" << row.name << "\", the table of rows has not");
  }
  for (const std::string& row : rows) {
    CHECK_MESSAGE(golden.contains(row), "the table has a row \"" << row << "\", ops.json has not");
  }
  for (std::string_view op : all_ops) {
    CHECK_MESSAGE(covered.contains(op) != no_golden_value.contains(op), std::string(op) << " has no row");
  }
  for (std::string_view op : covered) CHECK_MESSAGE(all_ops.contains(op), std::string(op) << " is no op");
}

TEST_CASE("op table: types, values and gradients in float64") {
  for_all_cases("float64", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    check_case(row, golden, {"float64"}, complain);
  });
}

TEST_CASE("op table: types, values and gradients in float32") {
  for_all_cases("float32", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    if (golden.float32) check_case(row, golden, {.name = "float32", .narrow = true}, complain);
  });
}

TEST_CASE("op table: types, values and gradients where no dimension is known") {
  for_all_cases("unknown shapes", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    if (row.known_shapes_only.empty()) check_case(row, golden, {.name = "unknown", .known = false}, complain);
  });
}

TEST_CASE("op table: gradients and their gradients are central differences") {
  for_all_cases("differences", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    check_differences(row, golden, complain);
  });
}
