// The index of all ops, and their documentation. Names, argument order, axes and broadcasting are TensorFlow's
// (NumPy's): an axis counts from 0, or from the end when negative; operands of different shapes broadcast.
// Every op throws TypeError, naming its operands and their source lines, when shapes or dtypes do not fit.
// Where no gradient is mentioned there is one, of any order.
//
// Parts of tensors by place, sorting, sums by group, products and solutions of matrices, activations, normalization and
// losses, tensors of a shape that the run knows and random ones, and what orders a run have a header each, which this
// one includes: slicing.h, sorting.h, segments.h, linear_algebra.h, nn.h, shaped.h, control.h.
//
// Layouts: an op takes dense operands unless it says csr. A csr operand stays csr through every elementwise
// function f with f(0) = 0, and through multiplication by a scalar, a row [p] or a column [n, 1]; an op that
// would fill the zeros refuses and names itself. The gradient of a csr value is csr with the same pattern: the
// zeros are structure, not variables.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/control.h>
#include <gradus/ops/linear_algebra.h>
#include <gradus/ops/nn.h>
#include <gradus/ops/segments.h>
#include <gradus/ops/shaped.h>
#include <gradus/ops/slicing.h>
#include <gradus/ops/sorting.h>

#include <initializer_list>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

// --- arithmetic: two operands that broadcast; same dtype ------------------------------------------------

Expr add(const Operand& a, const Operand& b);       // csr + csr stays csr
Expr subtract(const Operand& a, const Operand& b);  // csr - csr stays csr
Expr multiply(const Operand& a, const Operand& b);  // csr * scalar, row, column or same pattern stays csr
/// a / b. Floating only: integers have floordiv.
Expr divide(const Operand& a, const Operand& b);
/// a to the power b. The derivative by b takes log(a) as 0 where a <= 0, as TensorFlow does.
Expr pow(const Operand& a, const Operand& b);  // csr to a positive constant power stays csr
Expr maximum(const Operand& a, const Operand& b);
Expr minimum(const Operand& a, const Operand& b);
/// (a - b)^2.
Expr squared_difference(const Operand& a, const Operand& b);
/// floor(a / b), and the remainder with b's sign: a = floordiv(a, b) * b + mod(a, b). Integers divided by
/// zero throw ValueError in the run. Floats are NumPy's at the ends too: a / 0 is infinite and its remainder NaN, an
/// infinite a gives NaN for both, and a finite a by an infinite b gives 0 and a, or -1 and b where the signs differ.
/// floordiv is piecewise constant: its gradient is zero.
Expr floordiv(const Operand& a, const Operand& b);
Expr mod(const Operand& a, const Operand& b);

inline Expr operator+(const Operand& a, const Operand& b) { return add(a, b); }
inline Expr operator-(const Operand& a, const Operand& b) { return subtract(a, b); }
inline Expr operator*(const Operand& a, const Operand& b) { return multiply(a, b); }
inline Expr operator/(const Operand& a, const Operand& b) { return divide(a, b); }

// --- functions of one operand, element by element -------------------------------------------------------

Expr negative(const Operand& x);
inline Expr operator-(const Operand& x) { return negative(x); }
Expr abs(const Operand& x);   // derivative at 0 is 0
Expr sign(const Operand& x);  // -1, 0 or 1; derivative 0
Expr exp(const Operand& x);
Expr expm1(const Operand& x);  // exp(x) - 1, exact near 0
Expr log(const Operand& x);
Expr log1p(const Operand& x);  // log(1 + x), exact near 0
Expr sqrt(const Operand& x);
Expr rsqrt(const Operand& x);  // 1 / sqrt(x)
Expr square(const Operand& x);
Expr reciprocal(const Operand& x);
Expr sigmoid(const Operand& x);      // 1 / (1 + exp(-x))
Expr log_sigmoid(const Operand& x);  // -softplus(-x)
Expr tanh(const Operand& x);
Expr relu(const Operand& x);                                    // max(x, 0); derivative at 0 is 0
Expr leaky_relu(const Operand& x, const Operand& alpha = 0.2);  // max(x, alpha x), alpha < 1
Expr softplus(const Operand& x);                                // log(1 + exp(x)), free of overflow
Expr sin(const Operand& x);
Expr cos(const Operand& x);
Expr tan(const Operand& x);
Expr erf(const Operand& x);
Expr floor(const Operand& x);  // piecewise constant, as ceil and round: derivative 0
Expr ceil(const Operand& x);
Expr round(const Operand& x);  // halves to even
/// x held between low and high (which broadcast); derivative 1 inside and on the bounds, 0 outside.
Expr clip_by_value(const Operand& x, const Operand& low, const Operand& high);

// --- comparison, logic, selection: results are bool; bool has no gradient --------------------------------

Expr equal(const Operand& a, const Operand& b);
Expr not_equal(const Operand& a, const Operand& b);
Expr less(const Operand& a, const Operand& b);
Expr less_equal(const Operand& a, const Operand& b);
Expr greater(const Operand& a, const Operand& b);
Expr greater_equal(const Operand& a, const Operand& b);
Expr logical_and(const Operand& a, const Operand& b);
Expr logical_or(const Operand& a, const Operand& b);
Expr logical_not(const Operand& x);
inline Expr operator==(const Operand& a, const Operand& b) { return equal(a, b); }  // same_node(a, b) compares nodes
inline Expr operator!=(const Operand& a, const Operand& b) { return not_equal(a, b); }
inline Expr operator<(const Operand& a, const Operand& b) { return less(a, b); }
inline Expr operator<=(const Operand& a, const Operand& b) { return less_equal(a, b); }
inline Expr operator>(const Operand& a, const Operand& b) { return greater(a, b); }
inline Expr operator>=(const Operand& a, const Operand& b) { return greater_equal(a, b); }
inline Expr operator&&(const Operand& a, const Operand& b) { return logical_and(a, b); }
inline Expr operator||(const Operand& a, const Operand& b) { return logical_or(a, b); }
inline Expr operator!(const Operand& x) { return logical_not(x); }
Expr isnan(const Operand& x);
Expr isfinite(const Operand& x);
/// a where the condition holds, b elsewhere; all three broadcast.
Expr where(const Operand& condition, const Operand& a, const Operand& b);
/// x where the condition holds, 0 elsewhere; both broadcast. csr and rows stay so.
Expr mask(const Operand& condition, const Operand& x);
/// The same numbers in another dtype: floats to integers truncate toward zero (beyond the integer dtype's ends they
/// give the nearer end, NaN gives 0), int64 to int32 wraps around, anything to bool asks != 0. The gradient flows
/// between floating dtypes only. csr stays csr.
Expr cast(const Operand& x, DType dtype);
Expr identity(const Operand& x);
/// x, through which no gradient flows.
Expr stop_gradient(const Operand& x);

// --- reductions ----------------------------------------------------------------------------------------

/// Sum and mean; csr over axis 0, 1 or all gives dense. The mean of nothing is NaN. Sums of integers are exact
/// or wrap around; those of bool are refused (cast first).
Expr reduce_sum(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
Expr reduce_mean(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Extremes of nothing are -inf and inf (for integers, the least and greatest). NaN wins. The gradient is shared
/// equally among equal extremes.
Expr reduce_max(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
Expr reduce_min(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Product; 1 for nothing. Second derivatives are exact where no element is zero.
Expr reduce_prod(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Whether any, or all, of bool elements hold.
Expr reduce_any(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
Expr reduce_all(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// The mean of (x - mean(x))^2, and its root: of all elements, not of a sample. The root's gradient is NaN where it is
/// 0.
Expr reduce_variance(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
Expr reduce_std(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Mean and variance at once: const auto [mean, variance] = moments(x, 0).
struct Moments {
  Expr mean, variance;
};
Moments moments(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// How many elements are not 0 (or not false); csr over axis 0, 1 or all. No gradient.
Expr count_nonzero(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no, DType dtype = int64);
/// log(sum(exp(x))), free of overflow.
Expr reduce_logsumexp(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Euclidean norm, sqrt(sum(x^2)). Not differentiable where it is 0: the gradient is NaN there.
Expr norm(const Operand& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Position of the first extreme along one axis, which is removed.   int64; no gradient. A NaN is the extreme.
Expr argmax(const Operand& x, int axis = 0);
Expr argmin(const Operand& x, int axis = 0);
struct CumsumOptions {
  bool exclusive = false;  // leave the element itself out of its sum
  bool reverse = false;    // from the end
};
/// Running sum along one axis.   [..., n, ...] -> [..., n, ...]
Expr cumsum(const Operand& x, int axis = 0, const CumsumOptions& options = {});

// --- shapes --------------------------------------------------------------------------------------------

/// One dimension of `shape` may be `any`: it is worked out.
Expr reshape(const Operand& x, const Shape& shape);
/// Axes in the order `perm` (reversed without it); csr takes the reversal.   [m, n] -> [n, m]
Expr transpose(const Operand& x, const std::vector<int>& perm = {});
/// A new axis of size 1 before axis `axis`; -1 puts it last.
Expr expand_dims(const Operand& x, int axis);
/// Without the named axes, which must have size 1 (all such axes if none is named).
Expr squeeze(const Operand& x, const Axes& axes = {});
Expr broadcast_to(const Operand& x, const Shape& shape);
/// Tensors end to end along an axis; all other dimensions agree.
Expr concat(std::span<const Expr> values, int axis, Location where = Location::current());
inline Expr concat(std::initializer_list<Expr> values, int axis, Location where = Location::current()) {
  return concat(std::span(values.begin(), values.size()), axis, where);
}
/// Tensors of one shape side by side along a new axis.
Expr stack(std::span<const Expr> values, int axis = 0, Location where = Location::current());
inline Expr stack(std::initializer_list<Expr> values, int axis = 0, Location where = Location::current()) {
  return stack(std::span(values.begin(), values.size()), axis, where);
}
/// `count` equal parts along an axis, which must divide evenly and be known.
std::vector<Expr> split(const Operand& x, int count, int axis = 0);
/// `before` and `after` copies of `value` added around each axis.
Expr pad(const Operand& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& paddings, const Number& value = 0);
/// x repeated multiples[i] times along axis i.
Expr tile(const Operand& x, const std::vector<std::int64_t>& multiples);
/// Zeros of `shape` to which updates[j] is added at row indices[j]; repeated indices add up. Dimensions of `shape`
/// after the first may be `any`: they are the updates'. [i, ...], [i, ..., shape[1], ...] -> rows [shape]
Expr scatter_add(const Operand& indices, const Operand& updates, const Shape& shape);
/// 1 at each index of a new last axis of size `depth`, 0 elsewhere (everywhere, for an index out of range).
Expr one_hot(const Operand& indices, std::int64_t depth, DType dtype = float32);
/// The shape and the number of elements as numbers.   int64 [rank]; int64 []
Expr shape_of(const Operand& x);
Expr size_of(const Operand& x);
Expr zeros_like(const Operand& x);
Expr ones_like(const Operand& x);
/// `shape` filled with a scalar expression.
Expr fill(const Shape& shape, const Operand& value);
/// start, start + delta, ... below limit, as a constant of `graph`.
Expr range(Graph& graph, const Number& start, const Number& limit, const Number& delta = 1, DType dtype = float32,
           Location where = Location::current());

/// x with the shape that `like` has in the run: broadcast, summed over the axes in which like is broadcast to
/// x, or reshaped. The numbers of `like` are not read.
Expr broadcast_like(const Operand& x, const Operand& like);
Expr sum_like(const Operand& x, const Operand& like);
Expr reshape_like(const Operand& x, const Operand& like);

// --- layouts -------------------------------------------------------------------------------------------

/// A dense tensor of a csr or rows value, its zeros written out; dense stays as it is.
Expr to_dense(const Operand& x);
/// The non-zeros of a dense matrix.   [n, p] -> csr [n, p]
Expr to_csr(const Operand& x);
/// The elements of x (which broadcasts, or is csr itself) at the non-zeros of a csr matrix.
/// [n, p], csr [n, p] -> csr [n, p]
Expr sample(const Operand& x, const Operand& pattern);
/// Each row of a matrix as `groups` rows, one for each group of columns: row i * groups + g has what row i of x has in
/// the columns whose group[j] is g. A column of group -1 is left out.   csr or dense [n, p] -> [n * groups, p]
Expr split_rows(const Operand& x, const std::vector<Index>& group, std::int64_t groups);

// --- variables -----------------------------------------------------------------------------------------

/// The rows of `table` that `rows` (a rows value, for its index) holds, as layout part; if `rows` is dense, the
/// table itself. What an optimizer reads of a variable.   [p, ...], rows [p, ...] -> part [p, ...]
Expr part_of(const Operand& table, const Operand& rows);

}  // namespace gradus
