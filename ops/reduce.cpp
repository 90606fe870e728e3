// Reductions: one op class, seven functions over any axes, and those built from them. A gradient is not spread over
// what was summed: it stays a column, or a number, and broadcasts where it is used.
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/reduce_launch.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

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
  Reduce(Reduction reduction, std::vector<int> axes, KeepDims keep, double scale = 1)
      : reduction_(reduction), axes_(std::move(axes)), keep_(keep), scale_(scale) {}

  std::string_view name() const override { return name_of(reduction_); }
  Attributes attributes() const override {
    const Attribute axes("axes", axes_), keep("keep_dims", keep_ == KeepDims::yes);
    return scale_ == 1 ? Attributes{axes, keep} : Attributes{axes, keep, {"scale", scale_}};
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

  Elements elements(std::span<const Type> x) const override { return view_if(axes_.empty() && x[0].dtype != boolean); }

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

  Expr simplified(const Expr& y, const DraftFacts& facts) const override;
  Expr reassociated(const Expr& y, const DraftFacts& facts) const override;

  Tiles tiles(std::span<const Type> in, const Type& out) const override {
    const Type& x = in[0];
    if (x.layout == Layout::rows || x.shape.rank() == 0 || axes_.empty() || out.layout != Layout::dense) return {};
    if (axes_.front() != 0) return {Tiles::Gives::rows, 1, x.shape[0]};
    const bool whole_csr = x.layout != Layout::csr || axes_.size() == 2;
    if (reduction_ != Reduction::sum || !is_floating(x.dtype) || !whole_csr) return {};
    const bool all = static_cast<int>(axes_.size()) == x.shape.rank();
    return {Tiles::Gives::sum, 1, x.shape[0], 0, all ? x.shape.rank() : 1};
  }

  Fold fold(std::span<const Type> in) const override {
    if (axes_.empty() || in[0].layout == Layout::rows) return {};
    Fold fold;
    fold.axes = reduced_bits();
    fold.scale = scale_for(in[0].shape);
    if (sums(reduction_)) fold.by = Fold::By::sum;
    if (reduction_ == Reduction::max) fold.by = Fold::By::max;
    if (reduction_ == Reduction::min) fold.by = Fold::By::min;
    return fold;
  }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    const Shape& shape = x.shape();
    const unsigned bits =
        reduced_bits() & ((1U << static_cast<unsigned>(shape.rank())) - 1);  // a tile's axes are fewer
    const double scale = scale_for(shape);
    if (x.type.layout == Layout::csr) {
      if (bits == 3) return sum_csr(call.workers(), x, call.out().data, scale);
      if (bits == 1) return sum_csr_columns(call.workers(), x, call.out().data, scale);
      return sum_csr_rows(call.workers(), x, call.out().data, scale);
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
        case Reduction::max: return reduce_dense<Max<T>>(call, from, shape, bits, to);
        case Reduction::min: return reduce_dense<Min<T>>(call, from, shape, bits, to);
        case Reduction::prod: return reduce_dense<Product<T>>(call, from, shape, bits, to);
        default: return reduce_dense<Sum<T>>(call, from, shape, bits, to, scale);
      }
    });
  }

  void launch(DeviceCall& call) const override {
    constexpr std::string_view folds[] = {"gr_Sum", "gr_Sum", "gr_Max", "gr_Min", "gr_Product", "gr_Either", "gr_Both"};
    const Value& x = call.in(0);
    const double scale = scale_for(x.shape());
    if (x.type.layout == Layout::dense)
      return reduce_dense(call, folds[static_cast<std::size_t>(reduction_)], x, x.shape(), reduced_bits(), scale);
    if (x.type.layout == Layout::rows || reduced_bits() == 3) return sum_csr(call, x, call.out().data, scale);
    if (reduced_bits() == 1) return sum_csr_columns(call, x, call.out().data, scale);
    sum_csr_rows(call, x, call.out().data, scale);
  }

 private:
  unsigned reduced_bits() const {
    unsigned bits = 0;
    for (const int axis : axes_) bits |= 1U << static_cast<unsigned>(axis);
    return bits;
  }
  // What a sum over x is multiplied by.
  double scale_for(const Shape& x) const {
    double elements = 1;
    if (reduction_ != Reduction::mean) return scale_;
    for (const int axis : axes_) elements *= static_cast<double>(x[axis]);
    return 1 / elements;
  }

  Expr as_one_sum(const Expr& sum, const DraftFacts& facts) const;
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
  double scale_;  // of a sum that a plan makes of a mean: it multiplies the sum before that is rounded
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

constexpr std::int64_t short_row = 1024;  // columns: such rows are summed without blocks

// Whether the dot products of so many rows are worth a kernel of their own.
bool pays_for_dots(const Expr& x) {
  return x.layout() == Layout::dense && (x.shape()[1] >= 8 || x.shape().size() > 1024) && x.shape()[1] <= short_row;
}

// The two factors of a product of equal types, element by element; none if e is no such product.
std::optional<std::pair<Expr, Expr>> factors(const Expr& e) {
  if (is_op(e, "square")) return std::pair(e.input(0), e.input(0));
  if (is_op(e, "multiply") && e.input(0).type() == e.type() && e.input(1).type() == e.type())
    return std::pair(e.input(0), e.input(1));
  return {};
}

// Whether e is x^2, x^3, ... of one expression x: the elements of a row of x^2 overflow or vanish together with their
// sum, but for a band of the range as wide as their number.
bool is_power(const Expr& e) {
  Expr base;
  std::array<Expr, 8> open{e};  // factors of factors, of powers that rules make; few
  for (std::size_t count = 1; count > 0;) {
    const Expr part = open[--count];
    const auto both = factors(part);
    if (both && count + 2 <= open.size()) {
      open[count++] = both->first;
      if (!same_node(both->second, both->first)) open[count++] = both->second;
    } else if (base.valid() && !same_node(base, part)) {
      return false;
    } else {
      base = part;
    }
  }
  return !same_node(base, e);
}

// sum_j (A B)_ij = (A b)_i with b_l = sum_j B_lj: the product of a matrix and a vector, where A and B are powers or A
// holds ones.   [n, 1]
Expr row_sums_of_product(const Expr& x, const DraftFacts& facts) {
  const auto flags = matrix_product(x);
  if (!flags || facts.readers(x) > 1) return {};
  const Expr a = x.input(0), b = x.input(1);
  const auto stored = [](const Expr& e) { return transposed_matrix(e).valid() ? transposed_matrix(e) : e; };
  if ((!has_ones(a) && !is_power(stored(a))) || !is_power(stored(b))) return {};
  if (b.layout() == Layout::part) return matmul(a, row_dots(factors(b)->first, factors(b)->second));
  return matmul(a, flags->transpose_b ? reduce_sum(b, 0, KeepDims::yes) : row_sums(b), *flags);
}

// Whether x is a sum of terms each of which has a sum along its rows that costs less than the term itself: products of
// matrices, as above, and products element by element.
bool is_sum_of_products(const Expr& x, const DraftFacts& facts, int& terms, int& matrix_products) {
  constexpr int most_terms = 16;
  const auto [factor, e] = scaled(x);
  if (++terms > most_terms || facts.readers(x) > 1 || std::abs(factor) > 1) return false;
  if ((is_op(e, "add") || is_op(e, "subtract")) && e.input(0).type() == e.type() && e.input(1).type() == e.type())
    return is_sum_of_products(e.input(0), facts, terms, matrix_products) &&
           is_sum_of_products(e.input(1), facts, terms, matrix_products);
  const auto flags = matrix_product(e);
  if (flags) ++matrix_products;
  if (flags) return row_sums_of_product(e, facts).valid();
  return factors(e) && e.layout() == Layout::dense && e.shape()[1] <= short_row;
}

// The sums along the rows of such a sum, term by term.   [n, 1]
Expr row_sums_by_term(const Expr& x, const DraftFacts& facts) {
  const auto [factor, e] = scaled(x);
  Expr sum;
  if (is_op(e, "add") || is_op(e, "subtract")) {
    const Expr a = row_sums_by_term(e.input(0), facts), b = row_sums_by_term(e.input(1), facts);
    sum = is_op(e, "add") ? a + b : a - b;
  } else if (const auto both = factors(e)) {
    sum = pays_for_dots(e) ? row_dots(both->first, both->second) : row_sums(e);
  } else {
    sum = row_sums_of_product(e, facts);
  }
  return factor == 1 ? sum : factor * sum;
}

// Rules that keep each term as it is.
Expr Reduce::simplified(const Expr& y, const DraftFacts& facts) const {
  const Expr x = y.input(0);
  if (!is_floating(y.dtype()) || !sums(reduction_) || axes_.empty() || x.shape().size() == 0 ||
      y.layout() != Layout::dense)
    return {};
  // mean(x) = sum(x) / n, whose scale does not depend on how many rows there are: it may be summed tile by tile.
  if (reduction_ == Reduction::mean)
    return gradus::apply(std::make_shared<Reduce>(Reduction::sum, axes_, keep_, scale_for(x.shape())), {x});
  if (scale_ != 1 || x.rank() != 2 || axes_.size() != 1 || x.shape()[1] == 1 || facts.readers(x) > 1) return {};
  const bool along_rows = axes_[0] == 1;
  Expr product;
  if (is_op(x, "multiply")) product = along_rows ? as_product_along_rows(x) : as_product_along_columns(x);
  if (const auto both = factors(x); both && !product.valid() && along_rows && pays_for_dots(x))
    product = row_dots(both->first, both->second);
  return product.valid() ? reshape(product, y.shape()) : Expr();
}

// sum_j sum_i x_ij = sum_ij x_ij
Expr Reduce::as_one_sum(const Expr& sum, const DraftFacts& facts) const {
  const auto* inner = sum.kind() == Kind::op ? dynamic_cast<const Reduce*>(&sum.op()) : nullptr;
  if (inner == nullptr || inner->reduction_ != Reduction::sum || facts.readers(sum) > 1) return {};
  std::vector<int> axes;
  for (unsigned axis = 0, of_sum = 0; axis < static_cast<unsigned>(sum.input(0).rank()); ++axis) {
    const bool within = ((inner->reduced_bits() >> axis) & 1U) != 0;
    if (within || ((reduced_bits() >> of_sum) & 1U) != 0) axes.push_back(static_cast<int>(axis));
    if (!within || inner->keep_ == KeepDims::yes) ++of_sum;
  }
  const double scale = inner->scale_ * scale_;
  return gradus::apply(std::make_shared<Reduce>(Reduction::sum, axes, KeepDims::no, scale), {sum.input(0)});
}

// Rules that add in another order.
Expr Reduce::reassociated(const Expr& y, const DraftFacts& facts) const {
  const Expr x = y.input(0);
  if (!is_floating(y.dtype()) || reduction_ != Reduction::sum || axes_.empty() || x.shape().size() == 0 ||
      y.layout() != Layout::dense)
    return {};
  if (const Expr sum = as_one_sum(x, facts); sum.valid()) return reshape(sum, y.shape());
  if (axes_ == std::vector{1})
    if (const Expr product = product_of_lookups(x); product.valid())
      return reshape(scale_ == 1 ? product : scale_ * product, y.shape());
  // The sum of a transposed matrix is one of the matrix itself.
  if (const Expr inner = transposed_matrix(x); inner.valid()) {
    std::vector<int> turned(axes_.rbegin(), axes_.rend());
    for (int& axis : turned) axis = 1 - axis;
    return reshape(gradus::apply(std::make_shared<Reduce>(Reduction::sum, turned, KeepDims::no, scale_), {inner}),
                   y.shape());
  }
  // sum(a + b) = sum(a) + sum(b) along short rows, where every term is a product that need not be written down, one of
  // them of matrices: as in (X V)^2 - X^2 V^2. Partial sums are as large as the terms, which are few.
  if (scale_ != 1 || axes_ != std::vector{1} || x.rank() != 2 || x.shape()[1] == 1) return {};
  int terms = 0, matrix_products = 0;
  if (!is_sum_of_products(x, facts, terms, matrix_products) || matrix_products == 0) return {};
  return reshape(row_sums_by_term(x, facts), y.shape());
}

Expr reduce(Reduction reduction, const Operand& x, const Axes& axes, KeepDims keep) {
  const Expr expr = require_expr(name_of(reduction), x);
  if (!expr.shape().ranked() && !axes.given() && keep == KeepDims::no)  // all elements, whatever the rank
    return reduce(reduction, Operand(reshape(Operand(expr, x.where()), {any}), x.where()), 0, keep);
  std::vector<int> resolved = axes.resolve(name_of(reduction), expr.rank());
  const Operand taken = sums_rows(reduction, resolved, expr.rank()) ? x : without_rows(x);
  return apply(std::make_shared<Reduce>(reduction, std::move(resolved), keep), {taken});
}

}  // namespace

namespace detail {

ReducePasses reduce_passes(const Shape& shape, unsigned reduced) {
  // Neighbouring axes of one kind are one axis.
  struct Group {
    std::int64_t size;
    bool reduced;
  };
  std::array<Group, Shape::max_rank> groups;
  std::size_t count = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool mine = ((reduced >> static_cast<unsigned>(axis)) & 1U) != 0;
    if (shape[axis] == 1) continue;
    if (count > 0 && groups[count - 1].reduced == mine) {
      groups[count - 1].size *= shape[axis];
    } else {
      groups[count++] = {shape[axis], mine};
    }
  }
  ReducePasses passes;
  for (bool last = false; !last;) {
    std::size_t g = count;
    while (g > 0 && !groups[g - 1].reduced) --g;
    std::int64_t outer = 1;
    std::int64_t inner = 1;
    last = true;
    for (std::size_t i = 0; i + 1 < g; ++i) {
      outer *= groups[i].size;
      last = last && !groups[i].reduced;
    }
    for (std::size_t i = g; i < count; ++i) inner *= groups[i].size;
    const std::int64_t middle = g > 0 ? groups[g - 1].size : 1;
    // Rows to a piece: at least reduce_chunk elements, and at most 64 pieces.
    const std::int64_t chunk_rows =
        std::max({std::int64_t{1}, reduce_chunk / std::max<std::int64_t>(1, inner), (middle + 63) / 64});
    passes.pass[passes.count++] = {outer, middle, inner, chunk_rows};
    passes.partial_room =
        std::max(passes.partial_room, inner * std::max<std::int64_t>(1, (middle + chunk_rows - 1) / chunk_rows));
    if (last) break;
    passes.between += outer * inner;
    // The reduced group is gone; the kept ones around it are neighbours now.
    groups[g - 1] = {inner, false};
    count = g;
    if (g > 1 && !groups[g - 2].reduced) {
      groups[g - 2].size *= inner;
      --count;
    }
  }
  return passes;
}

}  // namespace detail

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
