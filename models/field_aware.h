// The field-aware factorization machine (Juan, Zhuang, Chin and Lin, "Field-aware Factorization Machines for CTR
// Prediction", RecSys 2016): a feature has a vector of its own for each field that it meets.
//   y_hat = w0 + sum_i w_i x_i + sum_{i<j} <v_i,f(j), v_j,f(i)> x_i x_j
// With S_fg = sum of v_ig x_i over the features i of field f, all pairs cost what the non-zeros and fields do, not what
// pairs of non-zeros would:
//   sum_{i<j} ... = 1/2 (sum_fg <S_fg, S_gf> - sum_i |v_i,f(i)|^2 x_i^2)
#pragma once

#include <gradus/core/tensor/sparse.h>
#include <gradus/models/task.h>

#include <vector>

namespace gradus {

struct FieldAwareFactorizationMachineOptions {
  /// The field of each feature, from 0; there are as many fields as the greatest tells. A feature of field -1 has a
  /// linear term only.   [p]
  std::vector<Index> field_of = {};
  std::int64_t factors = 4;   // k, numbers for each feature and field
  double init_stddev = 0.01;  // V starts from normal numbers with mean 0, w0 and W from zero
  std::uint64_t seed = 0;
  Task task = Task::regression;
  double l2_w0 = 0;  // the penalty is l2_w0 w0^2 + l2_W sum(W^2) + l2_V sum(V^2)
  double l2_W = 0;
  double l2_V = 0;
  L2Over l2_over = L2Over::all;  // what l2_W and l2_V reach
  Expr weight = {};              // [n, 1]: how much each row counts; no expression: all alike

  /// Of the parameters over p features. Throws ValueError where field_of is not as it should be.
  ParameterShapes shapes(std::int64_t p) const;
};

struct FieldAwareFactorizationMachine {
  /// X [n, p] dense or csr, y [n, 1]; n may be unknown. Throws TypeError for other shapes, ValueError for options out
  /// of range. The graph has a constant of V's size: which of its numbers belong to a feature's own field.
  FieldAwareFactorizationMachine(const Expr& X, const Expr& y, const FieldAwareFactorizationMachineOptions& options,
                                 Location where = Location::current());

  Expr w0;            // [1]
  Expr W;             // [p]
  Expr V;             // [p, fields k]: v_ig are the k numbers from g k on in row i
  Expr linear_terms;  // [n, 1]
  Expr interactions;  // [n, 1]
  Expr y_hat;         // [n, 1]
  Expr prediction;    // [n, 1]: y_hat; for binary tasks sigma(y_hat)
  Expr error;         // []: the mean error of the rows
  Expr penalty;       // []: L2
  Expr loss;          // []: error + penalty
};

/// How many fields there are: one more than the greatest. Throws ValueError, naming the model, unless every feature has
/// a field, -1 or more, and one at least has one from 0.
std::int64_t count_fields(std::string_view model, const std::vector<Index>& field_of, std::int64_t p);

}  // namespace gradus
