// Reductions: one op class, seven functions over any axes, and those built from them. A gradient needs not be
// spread over what was summed: it stays a column, or a number, and broadcasts where it is used.
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>
#include <gradus/ops/spmm.h>

namespace gradus {

namespace {

enum class Reduction : std::uint8_t { sum, mean, max, min, prod, any, all };

constexpr std::string_view names[] = {"reduce_sum",  "reduce_mean", "reduce_max", "reduce_min",
                                      "reduce_prod", "reduce_any",  "reduce_all"};

std::string_view name_of(Reduction reduction) { return names[static_cast<std::size_t>(reduction)]; }

bool sums(Reduction reduction) { return reduction == Reduction::sum || reduction == Reduction::mean; }

// Zeros add nothing to a sum of everything: a rows value needs not be written out for it.
bool sums_rows(Reduction reduction, const std::vector<int>& axes, int rank) {
  return sums(reduction) && static_cast<int>(axes.size()) == rank;
}

class Reduce final : public Op {
 public:
  Reduce(Reduction reduction, std::vector<int> axes, KeepDims keep)
      : reduction_(reduction), axes_(std::move(axes)), keep_(keep) {}

  std::string_view name() const override { return name_of(reduction_); }
  std::string attributes() const override {
    return fmt::format("axes=[{}]{}", comma_separated(axes_), keep_ == KeepDims::yes ? ", keep_dims" : "");
  }

  Type infer(const OpInputs& in) const override {
    const DType dtype = in[0].dtype;
    if (reduction_ == Reduction::any || reduction_ == Reduction::all) {
      if (dtype != boolean) fail<TypeError>("{}: x is {}; bool is expected", name(), in.dtype(0));
    } else if (reduction_ == Reduction::mean ? !is_floating(dtype) : dtype == boolean) {
      fail<TypeError>("{}: x is {}; cast it to a {} type first", name(), in.dtype(0),
                      reduction_ == Reduction::mean ? "floating" : "number");
    }
    const bool stays = in[0].layout == Layout::rows ? sums_rows(reduction_, axes_, in[0].shape.rank())
                                                    : in[0].layout == Layout::csr && sums(reduction_);
    if (!stays) require_dense(name(), in);
    Shape shape = in[0].shape;
    for (auto axis = axes_.rbegin(); axis != axes_.rend(); ++axis)
      shape = keep_ == KeepDims::yes ? shape.with(*axis, 1) : shape.without(*axis);
    return {dtype, shape, in[0].layout == Layout::csr && axes_.empty() ? Layout::csr : Layout::dense};
  }

  bool is_view(std::span<const Type> in) const override { return axes_.empty() && in[0].dtype != boolean; }

  std::string_view no_gradient(int) const override {
    return reduction_ == Reduction::any || reduction_ == Reduction::all ? "it gives bool, which is piecewise constant"
                                                                        : "";
  }

  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    const Expr x = y.input(0);
    const Expr wide = with_axes(dy);
    switch (reduction_) {
      // d sum(x) = sum(dx)
      case Reduction::sum: return wide;
      // d mean(x) = sum(dx) / n
      case Reduction::mean: return wide / count(x, y);
      // d max(x) = dx of the greatest; where several are equal each has its share
      case Reduction::max:
      case Reduction::min: {
        const Expr is_extreme = equal(x, with_axes(y));
        const Expr equals = reduce_sum(cast(is_extreme, x.dtype()), Axes(axes_), KeepDims::yes);
        return mask(is_extreme, wide / equals);
      }
      // d prod(x) = sum(prod(x) / x_i dx_i): at a zero, the product of the others if there is no second
      default: {
        const Expr is_zero = equal(x, 0);
        const Expr others = where(is_zero, 1, x);
        const Expr zeros = reduce_sum(cast(is_zero, x.dtype()), Axes(axes_), KeepDims::yes);
        const Expr product = wide * reduce_prod(others, Axes(axes_), KeepDims::yes);
        return where(is_zero, mask(equal(zeros, 1), product), mask(equal(zeros, 0), product / others));
      }
    }
  }

  Expr simplified(const Expr& y, const Uses& uses) const override;

  Strips strips(std::span<const Type> in, const Type& out) const override {
    const Type& x = in[0];
    if (x.layout == Layout::rows || x.shape.rank() == 0 || axes_.empty() || out.layout != Layout::dense) return {};
    if (axes_.front() != 0) return {Strips::Gives::rows, 1, x.shape[0]};
    const bool whole_csr = x.layout != Layout::csr || axes_.size() == 2;
    if (reduction_ != Reduction::sum || !is_floating(x.dtype) || !whole_csr) return {};
    return {Strips::Gives::sum, 1, x.shape[0]};
  }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    const Shape& shape = x.shape();
    unsigned bits = 0;
    double elements = 1;
    for (const int axis : axes_) {
      bits |= 1U << static_cast<unsigned>(axis);
      elements *= static_cast<double>(shape[axis]);
    }
    const double scale = reduction_ == Reduction::mean ? 1 / elements : 1;
    if (x.type.layout == Layout::csr) {
      const auto sum = bits == 3 ? sum_csr : bits == 1 ? sum_csr_columns : sum_csr_rows;
      sum(call.workers(), x, call.out().data, scale);
      return;
    }
    if (x.type.layout == Layout::rows) {  // over all axes: what is stored, as of a csr matrix
      sum_csr(call.workers(), x, call.out().data, scale);
      return;
    }
    if (x.type.dtype == boolean) {
      if (reduction_ == Reduction::any) {
        reduce_dense<Either>(call, call.in<bool>(0), shape, bits, call.out<bool>());
      } else {
        reduce_dense<Both>(call, call.in<bool>(0), shape, bits, call.out<bool>());
      }
      return;
    }
    dispatch_number(x.type.dtype, [&]<class T>(TypeTag<T>) {
      const T* from = call.in<T>(0);
      T* to = call.out<T>();
      switch (reduction_) {
        case Reduction::max: return reduce_dense<Greatest<T>>(call, from, shape, bits, to);
        case Reduction::min: return reduce_dense<Least<T>>(call, from, shape, bits, to);
        case Reduction::prod: return reduce_dense<Product<T>>(call, from, shape, bits, to);
        default: return reduce_dense<Sum<T>>(call, from, shape, bits, to, scale);
      }
    });
  }

 private:
  // dy with the reduced axes back, of size 1.
  Expr with_axes(Expr dy) const {
    if (keep_ == KeepDims::no)
      for (const int axis : axes_) dy = expand_dims(dy, axis);
    return dy;
  }

  // How many elements went into each mean: a number, or an expression where it is known in the run only.
  static Operand count(const Expr& x, const Expr& y) {
    if (x.shape().known() && y.shape().size() > 0) return x.shape().size() / y.shape().size();
    return cast(size_of(x), x.dtype()) / cast(size_of(y), x.dtype());
  }

  Reduction reduction_;
  std::vector<int> axes_;
  KeepDims keep_;
};

// The sum of a matrix along its rows, [n, p] to [n, 1].
Expr row_sums(const Expr& x) { return reduce_sum(x, 1, KeepDims::yes); }

// sum_j a_ij b_j is a matrix-vector product, whatever the layout of a.
Expr as_product_along_rows(const Expr& x) {
  for (const int i : {0, 1}) {
    const Expr row = x.input(i);
    const Expr matrix = x.input(1 - i);
    const bool fits = row.layout() == Layout::dense && row.shape().size() == x.shape()[1] && row.rank() <= 2 &&
                      row.shape()[row.rank() - 1] == x.shape()[1] && matrix.shape() == x.shape();
    if (fits && row.rank() > 0) return matmul(matrix, reshape(row, {x.shape()[1], 1}));
  }
  return {};
}

// sum_i a_i b_ij is one too, by the transposed matrix.
Expr as_product_along_columns(const Expr& x) {
  for (const int i : {0, 1}) {
    const Expr column = x.input(i);
    const Expr matrix = x.input(1 - i);
    if (column.layout() == Layout::dense && column.shape() == Shape({x.shape()[0], 1}) &&
        matrix.layout() == Layout::dense && matrix.shape() == x.shape())
      return matmul(matrix, column, {.transpose_a = true});
  }
  return {};
}

// The dot product of each row of a with the same row of b: a sum of products that are not written down.
// Inputs: [n, k], [n, k].
class RowDots final : public Op {
 public:
  std::string_view name() const override { return "row_dots"; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[0].shape.with(1, 1), in[0].layout}; }
  std::string_view no_gradient(int) const override { return "only plans make it"; }
  int rows_from() const override { return 0; }
  Strips strips(std::span<const Type> in, const Type& out) const override {
    return {Strips::Gives::rows, 3, out.layout == Layout::dense ? in[0].shape[0] : 0};
  }
  void compute(Call& call) const override {
    const std::int64_t k = call.in(0).shape()[1];
    if (call.out().type.layout != Layout::dense) call.set_index(call.in(0).index);
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      call.workers().for_each(call.out().stored, rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
        dot_rows(call.in<T>(0) + first * k, call.in<T>(1) + first * k, last - first, k, call.out<T>() + first);
      });
    });
  }

 private:
  static constexpr std::int64_t rows_at_a_time = 4096;
};

// The sum of each row of a part that is a product of two.
Expr sums_of_part(const Expr& b) {
  if (is_op(b, "square")) return row_dots(b.input(0), b.input(0));
  const bool product = is_op(b, "multiply") && b.input(0).type() == b.type() && b.input(1).type() == b.type();
  return product ? row_dots(b.input(0), b.input(1)) : Expr();
}

// Rules for sums of matrices.
Expr Reduce::simplified(const Expr& y, const Uses& uses) const {
  const Expr x = y.input(0);
  if (!is_floating(y.dtype()) || !sums(reduction_) || axes_.empty() || x.shape().size() == 0 ||
      y.layout() != Layout::dense)
    return {};
  const Axes axes(axes_);
  // mean(x) = sum(x) / n
  if (reduction_ == Reduction::mean)
    return static_cast<double>(y.shape().size()) / static_cast<double>(x.shape().size()) * reduce_sum(x, axes, keep_);
  // sum(c x) = c sum(x)
  if (const auto [factor, inner] = scaled(x); factor != 1 && inner.layout() != Layout::rows)
    return factor * reduce_sum(inner, axes, keep_);
  // The sum of a transposed matrix is one of the matrix itself.
  if (const Expr inner = transposed_matrix(x)) {
    std::vector<int> turned;
    for (const int axis : axes_) turned.push_back(1 - axis);
    return reshape(reduce_sum(inner, Axes(turned)), y.shape());
  }
  if (x.rank() != 2 || axes_.size() != 1 || x.shape()[1] == 1 || uses.of(x) > 1) return {};
  const bool along_rows = axes_[0] == 1;
  // Worth a kernel of its own, and rows short enough to be summed without blocks.
  const bool pays =
      x.layout() == Layout::dense && (x.shape()[1] >= 8 || x.shape().size() > 1024) && x.shape()[1] <= 1024;
  if (is_op(x, "multiply")) {
    Expr product = along_rows ? as_product_along_rows(x) : as_product_along_columns(x);
    if (!product && along_rows && x.input(0).type() == x.type() && x.input(1).type() == x.type() && pays)
      product = row_dots(x.input(0), x.input(1));
    return product ? reshape(product, y.shape()) : Expr();
  }
  if (!along_rows) return {};
  if (is_op(x, "square") && pays) return reshape(row_dots(x.input(0), x.input(0)), y.shape());
  // sum_j (A B)_ij = (A b)_i with b_l = sum_j B_lj: the product of a matrix and a vector.
  if (const auto flags = matrix_product(x)) {
    const Expr b = x.input(1);
    if (b.layout() == Layout::part) {
      const Expr dots = sums_of_part(b);
      return dots ? reshape(matmul(x.input(0), dots), y.shape()) : Expr();
    }
    const Expr summed = flags->transpose_b ? reduce_sum(b, 0, KeepDims::yes) : row_sums(b);
    return reshape(matmul(x.input(0), summed, *flags), y.shape());
  }
  // sum(a + b) = sum(a) + sum(b), if that lets the rule above have its way.
  if ((is_op(x, "add") || is_op(x, "subtract")) && x.input(0).type() == x.type() && x.input(1).type() == x.type()) {
    const auto product = [&](int i) { return uses.of(x.input(i)) == 1 && matrix_product(x.input(i)); };
    if (!product(0) && !product(1)) return {};
    const Expr a = reduce_sum(x.input(0), axes, keep_);
    const Expr b = reduce_sum(x.input(1), axes, keep_);
    return is_op(x, "add") ? a + b : a - b;
  }
  return {};
}

Expr reduce(Reduction reduction, const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr expr = require_expr(name_of(reduction), x);
  std::vector<int> resolved = axes.resolve(name_of(reduction), expr.rank());
  const Operand taken = sums_rows(reduction, resolved, expr.rank()) ? x : without_rows(x);
  return apply(std::make_shared<Reduce>(reduction, std::move(resolved), keep), {taken});
}

}  // namespace

Expr row_dots(const Expr& a, const Expr& b) { return apply(std::make_shared<RowDots>(), {a, b}); }

Expr reduce_sum(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::sum, x, axes, keep); }
Expr reduce_mean(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::mean, x, axes, keep); }
Expr reduce_max(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::max, x, axes, keep); }
Expr reduce_min(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::min, x, axes, keep); }
Expr reduce_prod(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::prod, x, axes, keep); }
Expr reduce_any(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::any, x, axes, keep); }
Expr reduce_all(const Operand& x, const Axes& axes, KeepDims keep) { return reduce(Reduction::all, x, axes, keep); }

Expr reduce_logsumexp(const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr expr = require_expr("reduce_logsumexp", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  // The greatest element is taken out first, so that exp cannot overflow; an infinite one would give inf - inf.
  const Expr greatest = reduce_max(expr, axes, KeepDims::yes);
  const Expr shift = stop_gradient(mask(isfinite(greatest), greatest));
  const Expr sum = reduce_sum(exp(expr - shift), axes, KeepDims::yes);
  const Expr result = log(sum) + shift;
  return keep == KeepDims::yes ? result : squeeze(result, Axes(axes.resolve("reduce_logsumexp", expr.rank())));
}

Expr norm(const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr expr = require_expr("norm", x);
  const Graph::Pin pin = expr.graph().pin(x.where());
  return sqrt(reduce_sum(square(expr), axes, keep));
}

}  // namespace gradus
