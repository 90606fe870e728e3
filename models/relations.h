// What a model multiplies by: the columns of X, and what rows have by way of them (models/data/relations.h). With B
// [c, q] the rows are x [I B], and their product with a parameter V [c + q, k] is
//   X ([I B] V) = X (V_own + B V_B)
// in which a row of X gathers the line of its category: no row is widened.
#pragma once

#include <gradus/core/graph/graph.h>

namespace gradus {

class Design {
 public:
  /// X [n, c] dense or csr; B csr [c, q], or [0] where rows have no more than X. No row of X has two columns whose
  /// rows of B have a column in common, and x is 0 or 1 where B has a row. Throws TypeError for another B.
  Design(const Expr& X, const Tensor& B = {});  // NOLINT(google-explicit-constructor): X alone is one

  const Expr& X() const { return X_; }
  /// c + q
  std::int64_t features() const;

  /// What a column of X stands for, its own row of a parameter and those of its line: [I B] V. The parameter itself
  /// without B.   [c + q] -> [c],  [c + q, k] -> [c, k]
  Expr of_columns(const Expr& parameter) const { return of_columns(parameter, I_B_); }
  /// The same by the squares of what rows have: [I B^2] times what is given, as the squares of a parameter.
  Expr squares_of_columns(const Expr& squares) const { return of_columns(squares, squares_); }

 private:
  static Expr of_columns(const Expr& of_features, const Expr& I_B);

  Expr X_;
  Expr I_B_, squares_;  // [I B], [I B^2]: csr [c, c + q]; no expressions without B
};

}  // namespace gradus
