// Drives the op table: every row with every golden case of its name. Types inferred are types computed; values and
// gradients are the oracle's, in float64 with known and with unknown shapes, and in float32; central differences
// confirm the gradients and the gradients of the gradients. Rows and golden cases must match, and ops.h's list must be
// covered.
#include "op_table.h"

#include <gradus/core/run/session.h>
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
                                            "at",
                                            "strided_slice",
                                            "unstack",
                                            "reverse",
                                            "roll",
                                            "gather_nd",
                                            "sort",
                                            "argsort",
                                            "top_k",
                                            "in_top_k",
                                            "unique",
                                            "segment_sum",
                                            "segment_mean",
                                            "segment_max",
                                            "segment_min",
                                            "unsorted_segment_sum",
                                            "unsorted_segment_mean",
                                            "unsorted_segment_max",
                                            "unsorted_segment_min",
                                            "bincount",
                                            "histogram_fixed_width",
                                            "embedding_lookup_sparse",
                                            "sparse_reduce_max",
                                            "sparse_reduce_min",
                                            "reduce_variance",
                                            "reduce_std",
                                            "moments",
                                            "count_nonzero",
                                            "matrix_transpose",
                                            "matrix_band_part",
                                            "cholesky",
                                            "matrix_solve",
                                            "matrix_triangular_solve",
                                            "dropout",
                                            "random_normal",
                                            "truncated_normal",
                                            "random_uniform",
                                            "random_uniform_like",
                                            "assign_add",
                                            "elu",
                                            "selu",
                                            "gelu",
                                            "silu",
                                            "hard_sigmoid",
                                            "softsign",
                                            "batch_normalization",
                                            "layer_normalization",
                                            "l2_normalize",
                                            "cosine_similarity",
                                            "sparse_softmax_cross_entropy_with_logits",
                                            "log_loss",
                                            "huber_loss",
                                            "log_uniform_candidate_sampler",
                                            "sampled_softmax_loss",
                                            "nce_loss",
                                            "zeros",
                                            "ones",
                                            "cond",
                                            "after",
                                            "with_dependencies",
                                            "Print",
                                            "Assert",
                                            "assign_sub",
                                            "part_of"};

// Ops that no table of values can hold; op_state_test.cpp has them.
const std::set<std::string_view> no_golden_value = {"dropout",
                                                    "random_normal",
                                                    "truncated_normal",
                                                    "random_uniform",
                                                    "random_uniform_like",
                                                    "assign_add",
                                                    "part_of",
                                                    "assign_sub",
                                                    "after",
                                                    "with_dependencies",
                                                    "Print",
                                                    "Assert",
                                                    "log_uniform_candidate_sampler"};

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

// What is wrong with a case fails the test.
template <class Check>
void for_all(const char* what, Check check) {
  for_all_cases(what, check, [](const std::string& complaint) { FAIL_CHECK(complaint); });
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
  for_all("float64", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    check_case(row, golden, {"float64"}, complain);
  });
}

TEST_CASE("op table: types, values and gradients in float32") {
  for_all("float32", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    if (golden.float32) check_case(row, golden, {.name = "float32", .narrow = true}, complain);
  });
}

TEST_CASE("op table: types, values and gradients where no dimension is known") {
  for_all("unknown shapes", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    if (row.known_shapes_only.empty()) check_case(row, golden, {.name = "unknown", .known = false}, complain);
  });
}

TEST_CASE("op table: gradients and their gradients are central differences") {
  for_all("differences", [](const OpCase& row, const GoldenCase& golden, const Complain& complain) {
    check_differences(row, golden, complain);
  });
}
