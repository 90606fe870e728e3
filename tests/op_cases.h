// The table of op cases: one row per call of an op, which the tests make with every input that tests/golden/ops.json
// has for the row of the same name. To add an op: a row here, a row in tests/golden/op_rows*.py, and the file written
// anew. What depends on the inputs (is there a gradient? do differences apply at a kink?) stands in the file.
#pragma once

#include <gradus/core/graph/graph.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

using Inputs = std::vector<Expr>;

struct OpCase {
  /// The op's name in ops.h, then what the call fixes: "reduce_sum axis=1 keep_dims".
  std::string name;
  std::function<Expr(const Inputs&)> build;
  /// Why the gradient of the gradient is not checked; empty: it is, wherever the golden file says it can be.
  std::string first_order_only = {};
  /// Relative error allowed in float32 (absolute: a tenth of it).
  double tolerance32 = 1e-5;
  /// Why the row cannot be built where no dimension is known; empty: it can.
  std::string known_shapes_only = {};
  /// Whether the call fixes the result's dtype; otherwise float64 inputs give what float32 ones give.
  bool fixed_dtype = false;
};

/// All rows: the sections of ops.h in their order.
std::vector<OpCase> op_cases();

// The sections, each in its file.
std::vector<OpCase> elementwise_cases();
std::vector<OpCase> reduction_cases();
std::vector<OpCase> shape_cases();
std::vector<OpCase> product_cases();
std::vector<OpCase> subject_cases();
std::vector<OpCase> nn_cases();
std::vector<OpCase> activation_cases();  // a part of the elementwise ones

/// "matmul" of "matmul transpose_a".
std::string_view op_of(std::string_view row);

}  // namespace gradus
