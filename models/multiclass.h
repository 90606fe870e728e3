// One of c classes: a factorization machine (or, without factors, a linear model) for each, whose outputs are the
// logits of a softmax.
//   y_hat_c = w0_c + sum_i W_ic x_i + sum_{i<j} <v_ic, v_jc> x_i x_j,   P(c) = exp(y_hat_c) / sum_d exp(y_hat_d)
// The vectors of a feature lie side by side, so X is gone through as often as by one machine with c k factors.
#pragma once

#include <gradus/models/task.h>

namespace gradus {

struct MulticlassFactorizationMachineOptions {
  std::int64_t classes = 3;   // c, 2 or more
  std::int64_t factors = 8;   // k; 0: linear
  double init_stddev = 0.01;  // V starts from normal numbers with mean 0, w0 and W from zero
  std::uint64_t seed = 0;
  double l2_w0 = 0;
  double l2_W = 0;
  double l2_V = 0;
  L2Over l2_over = L2Over::all;
  Expr weight = {};       // [n, 1]: how much each row counts; no expression: all alike
  Tensor relations = {};  // csr [columns of X, q]: what rows have by way of X (relations.h); [0]: nothing

  /// Of the parameters over p features.
  ParameterShapes shapes(std::int64_t p) const;
};

struct MulticlassFactorizationMachine {
  /// X [n, p] dense or csr, y [n, 1], the class of each row, from 0; n may be unknown. With relations
  /// p counts these too: X is [n, p - q]. Throws TypeError for other
  /// shapes, ValueError for options out of range.
  MulticlassFactorizationMachine(const Expr& X, const Expr& y,
                                 const MulticlassFactorizationMachineOptions& options = {},
                                 Location where = Location::current());

  Expr w0;          // [c]
  Expr W;           // [p, c]
  Expr V;           // [p, c k]; no expression where it is linear
  Expr y_hat;       // [n, c]: logits
  Expr prediction;  // [n, c]: probabilities
  Expr error;       // []: the mean of -ln of the probability of what was the case
  Expr penalty;     // []: L2
  Expr loss;        // []: error + penalty
};

}  // namespace gradus
