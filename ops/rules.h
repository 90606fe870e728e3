// What rewriting rules (Op::simplified) ask of the expressions they meet. A rule's derivation stands above it.
#pragma once

#include <gradus/core/draft.h>
#include <gradus/core/op.h>
#include <gradus/ops/ops.h>

#include <optional>
#include <string_view>

namespace gradus {

inline bool is_op(const Expr& e, std::string_view name) { return e.kind() == Kind::op && e.op().name() == name; }

/// x where e is the transpose of a matrix x that is not just a view; otherwise no expression.
Expr transposed_matrix(const Expr& e);

/// What e repeats to its shape: x of broadcast_to(x), or of fill.
Expr repeated(const Expr& e);

/// Whether products and quotients by this number may be regrouped: none then overflows, or underflows, that did not.
bool is_moderate(double factor);

/// e as factor * x: x has e's type. The factor of an expression that is not multiplied by a moderate number is 1.
struct Scaled {
  double factor = 1;
  Expr x;
};
Scaled scaled(const Expr& e);
/// c (d x) = (c d) x and 1 x = x, where e is such a product; the rule of multiply and negative.
Expr one_factor(const Expr& e, const Uses& uses);

/// e [n, k] as column * x, where the column [n, 1], dense as e is, is a factor of every term of e; x has e's type. None
/// if there is no such column.
struct OfColumn {
  Expr column;
  Expr x;
};
std::optional<OfColumn> of_column(const Expr& e);

/// f A B + g A C = A (f B + g C), where e is a sum of such products and of other terms; and for rows, a x + b x =
/// (a + b) x with a number a row in a and b, which comes last in a sum. The rule of add and subtract.
Expr one_product(const Expr& e, const Uses& uses);

/// a b + c, a - b c, a - b / c and a / sqrt(b) in one loop, where y is such; see Op::fused.
Expr add_in_one_loop(const Expr& y, const Uses& uses);
Expr subtract_in_one_loop(const Expr& y, const Uses& uses);
Expr divide_in_one_loop(const Expr& y, const Uses& uses);

/// The matrix product e, dense and of two matrices, with its flags.
std::optional<MatmulOptions> matrix_product(const Expr& e);

/// The rows of a table [p, ...] that a csr matrix [n, p] touches.
Expr touched_part(const Expr& table, const Expr& csr);

/// Of a table [p, ...], or of what is computed from tables row by row, the rows that a csr matrix [n, p] touches, as a
/// part; none if it is not such.
Expr touched_rows(const Expr& table, const Expr& csr);

/// The rows that a part holds, with zeros elsewhere.  -> rows
Expr with_zeros(const Expr& part);

/// a_i . b_i for matrices of the same type, dense or part: [n, k] to [n, 1].
Expr row_dots(const Expr& a, const Expr& b);

/// x^T (d b) for x csr [n, p], d [n, 1] and b [n, k], dense or just the rows that x touches.  -> [p, k]
Expr scaled_rows_product(const Expr& x, const Expr& d, const Expr& b, Layout layout);

/// x^T d for x csr [n, p] and d [n, k]: the rows that x touches.  -> rows [p, k]
Expr rows_product(const Expr& x, const Expr& d);

}  // namespace gradus
