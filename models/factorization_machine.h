// The factorization machine of order 2 (Rendle, "Factorization Machines", ICDM 2010):
//   y_hat = w0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j
//         = w0 + sum_i w_i x_i + 1/2 sum_f ((sum_i v_if x_i)^2 - sum_i v_if^2 x_i^2)
// with a row v_i of V [p, k] for every feature. The second form costs k multiplications for every number of X, for
// every non-zero where X is csr; then the gradient of V has layout rows, and a step moves only the rows of features
// that occur. Its parts are expressions to read, fetch and build on.
//
//   Expr X = g.sparse_placeholder("X", {any, 2623});
//   Expr y = g.placeholder("y", {any, 1});
//   FactorizationMachine fm(X, y, {.factors = 20});
//   Expr train = Adam(0.01).minimize(fm.loss);
#pragma once

#include <gradus/models/task.h>

#include <vector>

namespace gradus {

/// Penalties of their own for groups of features and for factors (Rendle, "Factorization Machines with libFM", ACM
/// TIST 2012): lambda_W of a feature's group, lambda_V of its group and of the factor.
struct L2Groups {
  std::vector<std::int64_t> group = {};     // [p]: the group of each feature, from 0; empty: all are in group 0
  std::vector<double> W = {};               // [groups]; empty: l2_W holds for all
  std::vector<std::vector<double>> V = {};  // [groups][k], or [groups][1] for all factors alike; empty: l2_V holds
};

struct FactorizationMachineOptions {
  std::int64_t factors = 8;   // k
  double init_stddev = 0.01;  // V starts from normal numbers with mean 0, w0 and W from zero
  std::uint64_t seed = 0;
  Task task = Task::regression;
  // The penalty is l2_w0 w0^2 + l2_W sum(W^2) + l2_V sum(V^2), over all rows of W and V, or those that are touched.
  double l2_w0 = 0;
  double l2_W = 0;
  double l2_V = 0;
  L2Groups l2_groups = {};
  L2Over l2_over = L2Over::all;
  Expr weight = {};       // [n, 1]: how much each row counts; no expression: all alike
  Tensor relations = {};  // csr [columns of X, q]: what rows have by way of X (relations.h); [0]: nothing

  /// Of the parameters over p features.
  ParameterShapes shapes(std::int64_t p) const;
};

struct FactorizationMachine {
  /// X [n, p] dense or csr, y [n, 1]; n may be unknown. With relations p counts these too: X is [n, p - q]. Throws
  /// TypeError for other shapes, ValueError for options out of range.
  FactorizationMachine(const Expr& X, const Expr& y, const FactorizationMachineOptions& options = {},
                       Location where = Location::current());

  Expr w0;            // [1]
  Expr W;             // [p]
  Expr V;             // [p, k]
  Expr linear_terms;  // [n, 1]
  Expr interactions;  // [n, 1]
  Expr y_hat;         // [n, 1]
  Expr prediction;    // [n, 1]: y_hat; for binary tasks sigma(y_hat)
  Expr error;         // []: the mean error of the rows
  Expr penalty;       // []: L2
  Expr loss;          // []: error + penalty
};

}  // namespace gradus
