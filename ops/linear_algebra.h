// Products and solutions of matrices, a chapter of the index of ops (ops.h). A matrix stands in the last two axes;
// those before it are batches.
#pragma once

#include <gradus/core/graph/graph.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

namespace gradus {

namespace detail {
Expr einsum_of(std::string_view equation, std::span<const Operand> operands);
}  // namespace detail

struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
};
/// Matrix product; leading axes are batches and broadcast. Dense integers are multiplied too, and wrap around on
/// overflow as NumPy's do. One operand may be csr (then both have rank 2 and are floating); the gradient of the other
/// has layout rows when the csr operand stands on the left.   [..., m, k] x [..., k, n] -> [..., m, n]
Expr matmul(const Operand& a, const Operand& b, const MatmulOptions& options = {});
/// Inner product of two vectors.   [n], [n] -> []
Expr dot(const Operand& a, const Operand& b);
/// All products of two vectors.   [m], [n] -> [m, n]
Expr outer(const Operand& a, const Operand& b);
/// Einstein summation: einsum("bij,bjk->bik", a, b); of one operand its sums, transposes and diagonals:
/// einsum("...ii->...i", a). A letter that occurs twice in an operand takes its diagonal, whose size must be known.
/// `...` are further axes, from the last, which broadcast; the result must have them. Of more than two operands the
/// first two are multiplied, then their product and the third, and so on: the order of the operands is the cost.
Expr einsum(std::string_view equation, const Operand& a);
Expr einsum(std::string_view equation, const Operand& a, const Operand& b);
template <std::convertible_to<Operand>... More>
Expr einsum(std::string_view equation, const Operand& a, const Operand& b, const Operand& c, const More&... more) {
  return detail::einsum_of(equation, std::array{a, b, c, Operand(more, a.where())...});
}

/// Dense matrices transposed.   [..., m, n] -> [..., n, m]
Expr matrix_transpose(const Operand& x);
/// x on the main diagonal, the first num_lower below it and the first num_upper above it (all, where negative), and 0
/// elsewhere: matrix_band_part(x, -1, 0) is the lower triangle.
Expr matrix_band_part(const Operand& x, std::int64_t num_lower, std::int64_t num_upper);

// Solutions, of float32 and float64, by LAPACK. A GPU has the host compute them.

/// The lower triangular l with l l^T = a, for symmetric positive definite a, of which only the lower triangle is read:
/// the gradient is symmetric. Throws ValueError in the run where a is not positive definite.   [..., n, n] -> the same
Expr cholesky(const Operand& a);

struct MatrixSolveOptions {
  bool adjoint = false;  // solve a^T x = b
};
/// The x with a x = b; batches must agree. Throws ValueError in the run for a singular matrix.
/// [..., n, n], [..., n, k] -> [..., n, k]
Expr matrix_solve(const Operand& a, const Operand& b, const MatrixSolveOptions& options = {});

struct TriangularSolveOptions {
  bool lower = true;     // which triangle of a is read; the other may hold anything
  bool adjoint = false;  // solve a^T x = b
};
/// The same for a triangular a, in n^2 steps a column.
Expr matrix_triangular_solve(const Operand& a, const Operand& b, const TriangularSolveOptions& options = {});

}  // namespace gradus
