// cholesky, matrix_solve and matrix_triangular_solve by LAPACK, and their gradients, which are solutions again. LAPACK
// counts by columns: a matrix by rows is, to it, the transposed one, and rows of b beside each other are columns. So
// a x = b, as x^T a^T = b^T, is solved from the right with what it sees.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/gemm.h>
#include <gradus/ops/ops.h>

#include <cblas.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <type_traits>

// LAPACK's factorizations, of Fortran: arguments by address, and a length behind them for each letter.
extern "C" {
// NOLINTBEGIN(readability-identifier-naming)
void spotrf_(const char* triangle, const int* n, float* a, const int* stride, int* info, std::size_t);
void dpotrf_(const char* triangle, const int* n, double* a, const int* stride, int* info, std::size_t);
void sgetrf_(const int* m, const int* n, float* a, const int* stride, int* pivot, int* info);
void dgetrf_(const int* m, const int* n, double* a, const int* stride, int* pivot, int* info);
// NOLINTEND(readability-identifier-naming)
}

namespace gradus {

namespace {

// a = l l^T into the triangle of a that is the lower one by rows. 0, or the order of the minor that is not positive.
template <class T>
int factor_symmetric(int n, T* a) {
  int info = 0;
  if constexpr (std::is_same_v<T, float>) {
    spotrf_("U", &n, a, &n, &info, 1);
  } else {
    dpotrf_("U", &n, a, &n, &info, 1);
  }
  return info;
}

// a^T = p l u, in place. 0, or the number of a pivot that is 0.
template <class T>
int factor(int n, T* a, int* pivot) {
  int info = 0;
  if constexpr (std::is_same_v<T, float>) {
    sgetrf_(&n, &n, a, &n, pivot, &info);
  } else {
    dgetrf_(&n, &n, a, &n, pivot, &info);
  }
  return info;
}

// Solves x t = b for a triangle t of what LAPACK sees of a, in place; b is what it sees of [n, k].
template <class T>
void solve_from_right(CBLAS_UPLO triangle, CBLAS_TRANSPOSE op, CBLAS_DIAG diagonal, int n, int k, const T* a, T* b) {
  if constexpr (std::is_same_v<T, float>) {
    cblas_strsm(CblasColMajor, CblasRight, triangle, op, diagonal, k, n, 1, a, n, b, k);
  } else {
    cblas_dtrsm(CblasColMajor, CblasRight, triangle, op, diagonal, k, n, 1, a, n, b, k);
  }
}

// " 3" for matrix number 3 of several.
std::string number_of(std::int64_t matrix, const Shape& a) {
  return a.rank() == 2 ? "" : fmt::format(", matrix {} of {},", matrix, a.slice(0, a.rank() - 2).size());
}

void check_matrices(std::string_view name, const OpInputs& in, int i, std::string_view operand) {
  require_dense(name, in, i, operand);
  if (!is_floating(in[i].dtype))
    fail<TypeError>("{}: {} is {}; float32 or float64 is expected", name, operand, in.dtype(i));
  if (in[i].shape.rank() < 2)
    fail<TypeError>("{}: {} is {}; at least two dimensions are expected", name, operand, in.shape(i));
}

// The shape of a, square: a dimension that is not known is the other.
Shape square_shape(std::string_view name, const OpInputs& in) {
  check_matrices(name, in, 0, "a");
  const Shape& a = in[0].shape;
  const std::int64_t rows = a[a.rank() - 2], columns = a[a.rank() - 1];
  if (rows != columns && rows != any && columns != any)
    fail<TypeError>("{}: a is {}; as many rows as columns are expected", name, in.shape(0));
  const std::int64_t n = rows == any ? columns : rows;
  if (n > INT32_MAX) fail<TypeError>("{}: a is {}, which is too large for LAPACK", name, in.shape(0));
  return a.with(a.rank() - 2, n).with(a.rank() - 1, n);
}

// Calls f(matrix number) for all matrices, several at a time where they are small.
template <class F>
void for_each_matrix(Call& call, std::int64_t count, std::int64_t elements, F&& f) {
  const std::int64_t together = std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, elements));
  const std::string_view name = call.node.op().name();
  call.workers().for_each(count, together, [&](std::int64_t first, std::int64_t last) {
    prepare_blas(name);
    for (std::int64_t matrix = first; matrix < last; ++matrix) f(matrix);
  });
}

class Cholesky final : public Op {
 public:
  std::string_view name() const override { return "cholesky"; }
  Traits traits() const override { return {.runs_on_host = true}; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, square_shape(name(), in), Layout::dense}; }

  // With s = l^T dl, d a = 1/2 l^-T (the lower triangle of s, mirrored) l^-1: differentiating l l^T = a gives
  // l^-1 da l^-T = l^-1 dl + (l^-1 dl)^T, of which l^-1 dl is the lower triangle with half of the diagonal.
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    const Expr s = matmul(y, dy, {.transpose_a = true});
    const Expr mirrored =
        matrix_band_part(s, -1, 0) + matrix_transpose(matrix_band_part(s, -1, 0)) - matrix_band_part(s, 0, 0);
    const Expr left = matrix_triangular_solve(y, mirrored, {.adjoint = true});
    return 0.5 * matrix_transpose(matrix_triangular_solve(y, matrix_transpose(left), {.adjoint = true}));
  }

  void compute(Call& call) const override {
    const Shape& shape = call.out().shape();
    const std::int64_t n = shape[shape.rank() - 1];
    if (shape.size() == 0) return;
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      for_each_matrix(call, shape.size() / (n * n), n * n, [&](std::int64_t matrix) {
        T* const l = call.out<T>() + matrix * n * n;
        std::copy_n(call.in<T>(0) + matrix * n * n, n * n, l);
        std::int64_t minor = factor_symmetric(static_cast<int>(n), l);
        for (std::int64_t row = 0; row < n && minor == 0; ++row)
          if (!(l[row * n + row] > 0)) minor = row + 1;  // NaN, of which OpenBLAS says nothing
        if (minor != 0)
          fail<ValueError>("cholesky: a {}{} is not positive definite: its leading minor of order {} is not positive",
                           call.source(0), number_of(matrix, shape), minor);
        for (std::int64_t row = 0; row < n; ++row) std::fill(l + row * n + row + 1, l + (row + 1) * n, T{0});
      });
    });
  }
};

// Inputs: a and b of a x = b. What the solutions share.
class Solve : public Op {
 public:
  Traits traits() const override { return {.runs_on_host = true}; }

  Type infer(const OpInputs& in) const override {
    const Shape a = square_shape(name(), in);
    check_matrices(name(), in, 1, "b");
    if (in[0].dtype != in[1].dtype)
      fail<TypeError>("{}: a is {} but b is {}; cast one of them", name(), in.dtype(0), in.dtype(1));
    Shape b = in[1].shape;
    if (!may_agree(a.without(a.rank() - 1), b.without(b.rank() - 1)))
      fail<TypeError>("{}: a is {} but b is {}; [..., n, n] and [..., n, k] are expected", name(), in.shape(0),
                      in.shape(1));
    for (int axis = 0; axis + 1 < b.rank(); ++axis)
      if (b[axis] == any) b = b.with(axis, a[axis]);
    if (b[b.rank() - 1] > INT32_MAX) fail<TypeError>("{}: b is {}, which is too large for LAPACK", name(), in.shape(1));
    return {in[0].dtype, b, Layout::dense};
  }

 protected:
  // Calls f(number, a, x) for each of the matrices, x a copy of b to be solved in place.
  template <class T, class F>
  static void for_each_system(Call& call, F&& f) {
    const Shape& shape = call.out().shape();
    const std::int64_t n = shape[shape.rank() - 2], k = shape[shape.rank() - 1];
    if (shape.size() == 0) return;
    for_each_matrix(call, shape.size() / (n * k), n * (n + k), [&](std::int64_t matrix) {
      T* const x = call.out<T>() + matrix * n * k;
      std::copy_n(call.in<T>(1) + matrix * n * k, n * k, x);
      f(matrix, call.in<T>(0) + matrix * n * n, x, static_cast<int>(n), static_cast<int>(k));
    });
  }

  [[noreturn]] static void fail_singular(const Call& call, std::int64_t matrix) {
    fail<ValueError>("{}: a {}{} is singular", call.node.op().name(), call.source(0),
                     number_of(matrix, call.in(0).shape()));
  }
};

class MatrixSolve final : public Solve {
 public:
  explicit MatrixSolve(const MatrixSolveOptions& options) : options_(options) {}
  std::string_view name() const override { return "matrix_solve"; }
  Attributes attributes() const override { return {{"adjoint", options_.adjoint}}; }

  // a dx + da x = db: d b = a^-T dx, d a = -(d b) x^T; of a^T, transposed
  Expr gradient(const Expr& y, const Expr& dy, int i) const override {
    const Expr db = matrix_solve(y.input(0), dy, {.adjoint = !options_.adjoint});
    if (i == 1) return db;
    return -(options_.adjoint ? matmul(y, db, {.transpose_b = true}) : matmul(db, y, {.transpose_b = true}));
  }

  void compute(Call& call) const override {
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      const std::int64_t n = call.in(0).shape()[call.in(0).shape().rank() - 1];
      // Of each matrix its factors, and behind them the pivots.
      T* const factors = call.scratch<T>(call.in(0).stored + call.in(0).stored / std::max<std::int64_t>(1, n));
      int* const pivots = reinterpret_cast<int*>(factors + call.in(0).stored);
      for_each_system<T>(call, [&](std::int64_t matrix, const T* a, T* x, int rows, int k) {
        T* const lu = factors + matrix * n * n;
        int* const pivot = pivots + matrix * n;
        std::copy_n(a, n * n, lu);
        if (factor(rows, lu, pivot) != 0) fail_singular(call, matrix);
        const auto swap = [&](int row) {
          std::swap_ranges(x + std::int64_t{row} * k, x + (std::int64_t{row} + 1) * k,
                           x + std::int64_t{pivot[row] - 1} * k);
        };
        if (options_.adjoint) {  // x^T u^T l^T p^T = b^T
          for (int row = 0; row < rows; ++row)
            if (pivot[row] - 1 != row) swap(row);
          solve_from_right(CblasLower, CblasTrans, CblasUnit, rows, k, lu, x);
          solve_from_right(CblasUpper, CblasTrans, CblasNonUnit, rows, k, lu, x);
        } else {  // x^T p l u = b^T
          solve_from_right(CblasUpper, CblasNoTrans, CblasNonUnit, rows, k, lu, x);
          solve_from_right(CblasLower, CblasNoTrans, CblasUnit, rows, k, lu, x);
          for (int row = rows - 1; row >= 0; --row)
            if (pivot[row] - 1 != row) swap(row);
        }
      });
    });
  }

 private:
  MatrixSolveOptions options_;
};

class TriangularSolve final : public Solve {
 public:
  explicit TriangularSolve(const TriangularSolveOptions& options) : options_(options) {}
  std::string_view name() const override { return "matrix_triangular_solve"; }
  Attributes attributes() const override {
    return {{options_.lower ? "lower" : "upper", true}, {"adjoint", options_.adjoint}};
  }

  // As of matrix_solve; what is not read of a has no part in it.
  Expr gradient(const Expr& y, const Expr& dy, int i) const override {
    const Expr db = matrix_triangular_solve(y.input(0), dy, {.lower = options_.lower, .adjoint = !options_.adjoint});
    if (i == 1) return db;
    const Expr da = -(options_.adjoint ? matmul(y, db, {.transpose_b = true}) : matmul(db, y, {.transpose_b = true}));
    return options_.lower ? matrix_band_part(da, -1, 0) : matrix_band_part(da, 0, -1);
  }

  void compute(Call& call) const override {
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      for_each_system<T>(call, [&](std::int64_t matrix, const T* a, T* x, int n, int k) {
        for (std::int64_t i = 0; i < n; ++i)
          if (a[i * n + i] == 0) fail_singular(call, matrix);
        // The lower triangle by rows is the upper one by columns.
        solve_from_right(options_.lower ? CblasUpper : CblasLower, options_.adjoint ? CblasTrans : CblasNoTrans,
                         CblasNonUnit, n, k, a, x);
      });
    });
  }

 private:
  TriangularSolveOptions options_;
};

}  // namespace

Expr cholesky(const Operand& a) { return apply(std::make_shared<Cholesky>(), {a}); }

Expr matrix_solve(const Operand& a, const Operand& b, const MatrixSolveOptions& options) {
  return apply(std::make_shared<MatrixSolve>(options), {a, b});
}

Expr matrix_triangular_solve(const Operand& a, const Operand& b, const TriangularSolveOptions& options) {
  return apply(std::make_shared<TriangularSolve>(options), {a, b});
}

}  // namespace gradus
