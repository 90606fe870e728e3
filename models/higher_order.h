// The factorization machine of a higher order (Blondel, Fujino, Ueda and Ishihata, "Higher-Order Factorization
// Machines", NIPS 2016):
//   y_hat = w0 + sum_i w_i x_i + sum_{m = 2..order} sum_f A_m(v_f, x),   A_m(v, x) = sum_{i1 < ... < im} v_i1 x_i1 ...
//   v_im x_im
// with a matrix V_m [p, k] of its own for every order m. The ANOVA kernel A_m is the m-th elementary symmetric
// polynomial of the numbers v_i x_i, and follows from their power sums P_t = sum_i (v_i x_i)^t by Newton's identities:
//   A_m = 1/m sum_{t = 1..m} (-1)^(t - 1) A_{m - t} P_t,   A_0 = 1
// which costs m k multiplications for every non-zero of X, not the paper's recursion over the features; the P_t are
// products X^t V^t over one pattern. The identities subtract: errors are relative to (sum_i |v_i x_i|)^m.
#pragma once

#include <gradus/models/task.h>

#include <vector>

namespace gradus {

struct HigherOrderFactorizationMachineOptions {
  int order = 3;              // 2 to 5; of order 2 it is the FactorizationMachine
  std::int64_t factors = 8;   // k
  bool share_factors = true;  // one V for all orders (section 5 of the paper); else a matrix for each
  double init_stddev = 0.01;  // every V_m starts from normal numbers with mean 0, w0 and W from zero
  std::uint64_t seed = 0;
  Task task = Task::regression;
  double l2_w0 = 0;  // the penalty is l2_w0 w0^2 + l2_W sum(W^2) + l2_V sum_m sum(V_m^2)
  double l2_W = 0;
  double l2_V = 0;
  L2Over l2_over = L2Over::all;  // what l2_W and l2_V reach
  Expr weight = {};              // [n, 1]: how much each row counts; no expression: all alike

  /// Of the parameters over p features.
  ParameterShapes shapes(std::int64_t p) const;
};

struct HigherOrderFactorizationMachine {
  /// X [n, p] dense or csr, y [n, 1]; n may be unknown. Throws TypeError for other shapes, ValueError for options out
  /// of range.
  HigherOrderFactorizationMachine(const Expr& X, const Expr& y,
                                  const HigherOrderFactorizationMachineOptions& options = {},
                                  Location where = Location::current());

  Expr w0;                         // [1]
  Expr W;                          // [p]
  std::vector<Expr> V;             // V[m - 2], of order m: [p, k]
  Expr linear_terms;               // [n, 1]
  std::vector<Expr> interactions;  // interactions[m - 2], of order m: [n, 1]
  Expr y_hat;                      // [n, 1]
  Expr prediction;                 // [n, 1]: y_hat; for binary tasks sigma(y_hat)
  Expr error;                      // []: the mean error of the rows
  Expr penalty;                    // []: L2
  Expr loss;                       // []: error + penalty
};

}  // namespace gradus
