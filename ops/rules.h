// What rewriting rules (Op::simplified) ask of the expressions they meet. A rule's derivation stands above it.
#pragma once

#include <gradus/core/graph/op.h>
#include <gradus/core/plan/draft_facts.h>
#include <gradus/ops/ops.h>

#include <optional>
#include <string_view>

namespace gradus {

inline bool is_op(const Expr& e, std::string_view name) { return e.kind() == Kind::op && e.op().name() == name; }

/// x where e is the transpose of a matrix x that is not just a view; otherwise no expression.
Expr transposed_matrix(const Expr& e);

/// What e repeats to its shape: x of broadcast_to(x), or of fill.
Expr repeated(const Expr& e);

/// Whether a number is near enough to 1 to be moved within a product: numbers that are moved are multiplied.
bool is_moderate(double factor);

/// e as factor * x: x has e's type. The factor of an expression that is not multiplied by a moderate number is 1.
struct Scaled {
  double factor = 1;
  Expr x;
};
Scaled scaled(const Expr& e);
/// c (d x) = (c d) x and 1 x = x, where e is such a product and d x is in range wherever c (d x) is; the rule of
/// multiply and negative.
Expr one_factor(const Expr& e, const DraftFacts& facts);
/// c (A^T (d B)) = A^T ((c d) B), which regroups the sum; likewise.
Expr factor_of_product(const Expr& e, const DraftFacts& facts);

/// e [n, k] as column * x, where the column [n, 1], dense as e is, is a factor of every term of e; x has e's type. None
/// if there is no such column.
struct OfColumn {
  Expr column;
  Expr x;
};
std::optional<OfColumn> of_column(const Expr& e);

/// a x + b x = (a + b) x in a sum e: of rows, for rows x and a number a row in a and b, and such terms come last; of
/// products of dense matrices, where b is a^T. The rule of add and subtract that regroups.
Expr one_product(const Expr& e, const DraftFacts& facts);

/// e as c x for matrices x, of which e has more, and a number c for each matrix of e.
struct ScaledMatrices {
  Expr c;
  Expr x;
};
std::optional<ScaledMatrices> scaled_matrices(const Expr& e);

/// The matrix product e, dense and of two matrices, with its flags.
std::optional<MatmulOptions> matrix_product(const Expr& e);
/// The product e of dense matrices, or of batches of them, with its flags.
std::optional<MatmulOptions> dense_product(const Expr& e);

/// The rows of a table [p, ...] that a csr matrix [n, p] touches.
Expr active_part(const Expr& table, const Expr& csr);

/// The rows of a table [p, ...] at the active columns of a csr matrix [n, p]. What is computed from tables row by row
/// is computed of the rows gathered from them: f(V)[rows] = f(V[rows]). None where the table itself is no variable,
/// constant or such an expression.
Expr gathered_rows(const Expr& table, const Expr& csr, const DraftFacts& facts);

/// The sum along axis 1 of e [n, f, ...], where e is rows of a table looked up by indices [n, f] or a function of these
/// alone: a csr product, [n, k]. None for any other e.
Expr product_of_lookups(const Expr& e);
/// Likewise what scatter_add gives for indices [n, f] and updates [n, 1, ...], which go to f rows each, as a csr
/// product of that shape; `indicator` is the indices'.  -> rows
Expr product_of_additions(const Expr& indices, const Expr& updates, const Expr& indicator, const Shape& shape);

/// What is computed, element by element, of what scatter_add gives for several indices into one table: the same of the
/// rows that any of them names, so that all of it is of one row set, as an update of the table is then.
Expr of_one_row_set(const Expr& y, const DraftFacts& facts);

/// The rows that a part holds, with zeros elsewhere.  -> rows
Expr with_zeros(const Expr& part);

/// a_i . b_i for matrices of the same type, dense or part: [n, k] to [n, 1].
Expr row_dots(const Expr& a, const Expr& b);

/// x^T (d b) for x csr [n, p], d [n, 1] and b [n, k], dense or just the rows that x touches.  -> [p, k]
Expr scaled_rows_product(const Expr& x, const Expr& d, const Expr& b, Layout layout);

/// x^T d for x csr [n, p] and d [n, k]: the rows that x touches.  -> rows [p, k]
Expr rows_product(const Expr& x, const Expr& d);

}  // namespace gradus
