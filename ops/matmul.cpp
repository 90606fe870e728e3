// Matrix products: dense (batched, broadcast), and with one csr operand. The product's kernels are in gemm and
// spmm; here are the type rule, the choice between them, and the gradients, which are products again.
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/gemm.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/spmm.h>

#include <algorithm>

namespace gradus {

namespace {

// [..., m, k] from a shape that may be stored transposed.
struct Matrix {
  std::int64_t rows;
  std::int64_t columns;
  Matrix(const Shape& shape, bool transposed)
      : rows(shape[shape.rank() - (transposed ? 1 : 2)]), columns(shape[shape.rank() - (transposed ? 2 : 1)]) {}
};

Shape batch_of(const Shape& shape) { return shape.slice(0, shape.rank() - 2); }

constexpr std::int64_t widest_in_tiles = 64;

class Matmul final : public Op {
 public:
  Matmul(const MatmulOptions& options, bool gives_rows) : options_(options), gives_rows_(gives_rows) {}

  std::string_view name() const override { return "matmul"; }
  Attributes attributes() const override {
    return {{"transpose_a", options_.transpose_a}, {"transpose_b", options_.transpose_b}};
  }

  Type infer(const OpInputs& in) const override {
    check_kinds(in);
    const Matrix a(in[0].shape, options_.transpose_a);
    const Matrix b(in[1].shape, options_.transpose_b);
    if (a.columns != b.rows && a.columns != any && b.rows != any)
      fail<TypeError>("matmul: a is {}{} but b is {}{}; inner dimensions {} and {} differ", in.shape(0),
                      options_.transpose_a ? ", transposed," : "", in.shape(1),
                      options_.transpose_b ? ", transposed" : "", a.columns, b.rows);
    const auto batch = broadcast(batch_of(in[0].shape), batch_of(in[1].shape));
    if (!batch)
      fail<TypeError>("matmul: a is {} but b is {}; their batches {} and {} do not broadcast", in.shape(0), in.shape(1),
                      to_string(batch_of(in[0].shape)), to_string(batch_of(in[1].shape)));
    const Shape shape = batch->insert(batch->rank(), a.rows);
    return {in[0].dtype, shape.insert(shape.rank(), b.columns), gives_rows_ ? Layout::rows : Layout::dense};
  }

  Expr gradient(const Expr& y, const Expr& dy, int i) const override;
  Expr simplified(const Expr& y, const DraftFacts& facts) const override;
  Expr reassociated(const Expr& y, const DraftFacts& facts) const override;
  const MatmulOptions& options() const { return options_; }

  // Of a tile of the rows of a matrix: its rows of a b, or its part of the sum that a^T b is. A wide dense product is
  // better done at once.
  // Of a batch, some of the products.
  Tiles tiles(std::span<const Type> in, const Type& y) const override {
    if (y.shape.rank() > 2) return batch_tiles(in, y);
    if (in[1].layout == Layout::csr) return {};
    const bool narrow = std::min(y.shape[0], y.shape[1]) <= widest_in_tiles;
    if (in[0].layout == Layout::dense && !narrow) return {};
    if (!options_.transpose_a) return {Tiles::Gives::rows, 1, y.shape[0]};
    if (options_.transpose_b) return {};
    return {Tiles::Gives::accumulated, 3, in[0].shape[0]};
  }
  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    if (y.shape.rank() > 2) return cut_batch(in, y);
    if (!options_.transpose_a) return {Tiles::Gives::rows, 1, y.shape[0]};
    return options_.transpose_b ? Tiles{} : Tiles{Tiles::Gives::accumulated, 3, in[0].shape[0]};
  }
  // By a column: the sum of the rows, or columns, of a times it. Else the larger operand is folded, by the other one.
  Fold fold(std::span<const Type> in) const override {
    const Shape &a = in[0].shape, &b = in[1].shape;
    if (in[0].layout != Layout::dense || in[1].layout != Layout::dense || a.rank() != 2 || b.rank() != 2) return {};
    const Matrix left(a, options_.transpose_a), right(b, options_.transpose_b);
    if (right.columns == 1)
      return {Fold::By::sum, options_.transpose_a ? 1U : 2U, 1, "gr_multiply(x0, x1)",
              options_.transpose_a ? Shape({b.size(), 1}) : Shape({1, b.size()})};
    Fold fold{.by = Fold::By::sum};
    if (a.size() >= b.size()) {
      fold.axes = options_.transpose_a ? 1 : 2;
      fold.matrix = {right.columns, options_.transpose_b ? 1 : right.columns, options_.transpose_b ? right.rows : 1,
                     right.columns, 1};
    } else {
      fold.of = 1;
      fold.axes = options_.transpose_b ? 2 : 1;
      fold.matrix = {left.rows, options_.transpose_a ? left.rows : 1, options_.transpose_a ? 1 : left.columns, 1,
                     right.columns};
    }
    return fold;
  }
  Traits traits() const override { return {.rows_from = gives_rows_ ? 0 : -1}; }
  int rows_named_by(std::span<const Type> in, int i) const override {
    return i == 1 && in[0].layout == Layout::csr && !options_.transpose_a && !options_.transpose_b ? 0 : -1;
  }
  void prepare_sum(Call& call) const override { call.set_index(call.in(0).pattern->active_columns()); }

  void compute(Call& call) const override {
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      if constexpr (std::is_floating_point_v<T>) {
        if (call.in(0).type.layout == Layout::csr) return csr_on_the_left<T>(call);
        if (call.in(1).type.layout == Layout::csr) return csr_on_the_right<T>(call);
      }
      dense<T>(call);
    });
  }

  void launch(DeviceCall& call) const override {
    const Value& a = call.in(0);
    const Value& b = call.in(1);
    if (a.type.layout == Layout::csr) {
      if (b.type.layout == Layout::part) check_part(call);
      if (!options_.transpose_a) return csr_times_dense(call, a, b);
      if (gives_rows_) call.set_index(a.pattern->active_columns());
      return csr_transposed_times_dense(call, a, b);
    }
    if (b.type.layout != Layout::csr) return dense(call);
    options_.transpose_b ? dense_times_csr_transposed(call, a, b) : dense_times_csr(call, a, b);
  }

 private:
  Expr of_fewer_matrices(const Expr& y) const;

  static Tiles cut_batch(std::span<const Type> in, const Type& y) {
    Tiles tiles{Tiles::Gives::rows, 0, y.shape[0]};
    for (std::size_t i = 0; i < 2; ++i)
      if (in[i].shape.rank() == y.shape.rank() && in[i].shape[0] == y.shape[0]) tiles.sliced |= 1U << i;
    return tiles;
  }
  static Tiles batch_tiles(std::span<const Type> in, const Type& y) {
    constexpr std::int64_t largest = 1 << 14;  // elements of what is cut: of larger products one is work enough
    const Tiles tiles = cut_batch(in, y);
    std::int64_t elements = y.shape.size();
    for (std::size_t i = 0; i < 2; ++i)
      if (((tiles.sliced >> i) & 1U) != 0) elements = std::max(elements, in[i].shape.size());
    return elements <= y.shape[0] * largest ? tiles : Tiles{};
  }

  void check_kinds(const OpInputs& in) const {
    if (in[0].dtype != in[1].dtype)
      fail<TypeError>("matmul: a is {} but b is {}; cast one of them", in.dtype(0), in.dtype(1));
    if (in[0].dtype == boolean)
      fail<TypeError>("matmul: a is {}; numbers are expected, so cast(x, int64) first", in.dtype(0));
    for (const int i : {0, 1})
      if (in[i].shape.rank() < 2)
        fail<TypeError>("matmul: {} is {}; at least two dimensions are expected (dot and outer take vectors)",
                        i == 0 ? "a" : "b", in.shape(i));
    const bool csr = in[0].layout == Layout::csr || in[1].layout == Layout::csr;
    if (in[0].layout == Layout::csr && in[1].layout == Layout::csr)
      fail<TypeError>("matmul: a is {} and b is {}; one of them must be dense", in.layout(0), in.layout(1));
    if (csr && !is_floating(in[0].dtype))
      fail<TypeError>("matmul: a is {} and {} is csr; a product with a csr matrix is float32 or float64, so cast both",
                      in.dtype(0), in[0].layout == Layout::csr ? "it" : "b");
    for (const int i : {0, 1}) {
      const bool part = i == 1 && in[0].layout == Layout::csr && in[1].layout == Layout::part && !options_.transpose_a;
      if (in[i].layout != Layout::csr && !part) require_dense("matmul", in, i, i == 0 ? "a" : "b");
      if (csr && in[i].shape.rank() != 2)
        fail<TypeError>("matmul: {} is {}; with a csr operand both are matrices", i == 0 ? "a" : "b", in.shape(i));
    }
  }

  // A part must hold just the rows that x touches: its row numbers are then x's slots.
  template <class AnyCall>  // Call or DeviceCall
  static void check_part(const AnyCall& call) {
    const auto& columns = call.in(0).pattern->active_columns();
    if (call.in(1).index != columns && call.in(1).index->row != columns->row)
      fail<ValueError>("matmul: b {} is a part that does not hold just the rows that a {} touches", call.source(1),
                       call.source(0));
  }

  template <class T>
  void csr_on_the_left(Call& call) const {
    const Value& x = call.in(0);
    const std::int64_t k = call.in(1).shape()[1];
    if (!options_.transpose_a) {
      if (call.in(1).type.layout == Layout::part) check_part(call);
      return csr_times_dense(call.workers(), x, call.in(1), call.out<T>());
    }
    if (gives_rows_ && !call.adds) call.set_index(x.pattern->active_columns());
    csr_transposed_times_dense(call, x, call.in<T>(1), k, call.out<T>());
  }

  template <class T>
  void csr_on_the_right(Call& call) const {
    const T* a = call.in<T>(0);
    const std::int64_t m = call.in(0).shape()[0];
    if (options_.transpose_b) {
      dense_times_csr_transposed(call.workers(), a, m, call.in(1), call.out<T>());
    } else {
      dense_times_csr(call.workers(), a, m, call.in(1), call.out<T>());
    }
  }

  // Calls f(a, b, c) with the places of the operands of each product, in elements.
  template <class F>
  void for_each_product(const Shape& a, const Shape& b, const Shape& batch, F&& f) const {
    const Matrix left(a, options_.transpose_a);
    const Matrix right(b, options_.transpose_b);
    const auto a_stride = broadcast_strides(batch_of(a), batch);
    const auto b_stride = broadcast_strides(batch_of(b), batch);
    const std::int64_t count = batch.size();
    for (std::int64_t i = 0; i < count; ++i) {
      std::int64_t rest = i;
      std::int64_t a_at = 0;
      std::int64_t b_at = 0;
      for (int axis = batch.rank() - 1; axis >= 0; --axis) {
        const std::int64_t along = rest % batch[axis];
        rest /= batch[axis];
        a_at += along * a_stride[static_cast<std::size_t>(axis)];
        b_at += along * b_stride[static_cast<std::size_t>(axis)];
      }
      f(a_at * left.rows * left.columns, b_at * right.rows * right.columns, i * left.rows * right.columns);
    }
  }

  template <class T>
  void dense(Call& call) const {
    const Shape& a = call.in(0).shape();
    const Shape& b = call.in(1).shape();
    const Matrix left(a, options_.transpose_a);
    const Matrix right(b, options_.transpose_b);
    // Of many matrices by one, the rows are one below the other.
    if (b.rank() == 2 && (a.rank() == 2 || !options_.transpose_a)) {
      const std::int64_t rows =
          a.rank() == 2 ? left.rows : call.out().shape().size() / std::max<std::int64_t>(1, right.columns);
      return gemm(call.workers(), rows, right.columns, left.columns, call.in<T>(0), options_.transpose_a, call.in<T>(1),
                  options_.transpose_b, call.out<T>(), call.adds);
    }
    for_each_product(a, b, batch_of(call.out().shape()), [&](std::int64_t a_at, std::int64_t b_at, std::int64_t c_at) {
      gemm(call.workers(), left.rows, right.columns, left.columns, call.in<T>(0) + a_at, options_.transpose_a,
           call.in<T>(1) + b_at, options_.transpose_b, call.out<T>() + c_at, call.adds);
    });
  }

  // The last axis of the batch is one call.
  void dense(DeviceCall& call) const {
    const Shape& a = call.in(0).shape();
    const Shape& b = call.in(1).shape();
    const Matrix left(a, options_.transpose_a);
    const Matrix right(b, options_.transpose_b);
    const auto size = static_cast<std::int64_t>(size_of(call.out().type.dtype));
    if (call.out().shape().size() == 0) return;
    if (left.columns == 0) return call.accelerator().set_zero(call.out().data, call.out().shape().size() * size);
    GemmWork work{call.out().type.dtype, left.rows, right.columns, left.columns};
    work.transpose_a = options_.transpose_a;
    work.transpose_b = options_.transpose_b;
    Shape batch = batch_of(call.out().shape());
    if (const int last = batch.rank() - 1; last >= 0) {
      const auto at = static_cast<std::size_t>(last);
      work.batch = batch[last];
      work.a_stride = broadcast_strides(batch_of(a), batch)[at] * left.rows * left.columns;
      work.b_stride = broadcast_strides(batch_of(b), batch)[at] * right.rows * right.columns;
      work.c_stride = left.rows * right.columns;
    }
    std::int64_t product = 0;
    for_each_product(a, b, batch, [&](std::int64_t a_at, std::int64_t b_at, std::int64_t c_at) {
      if (product++ % work.batch != 0) return;
      work.a = call.in(0).data + a_at * size;
      work.b = call.in(1).data + b_at * size;
      work.c = call.out().data + c_at * size;
      gemm(call, work);
    });
  }

  MatmulOptions options_;
  bool gives_rows_;
};

// The product of the rows of u and v at a pattern: the gradient of a product by its csr operand.
// Inputs: u [n, k], v [p, k], a csr matrix [n, p] for its pattern.
class SampledMatmul final : public Op {
 public:
  std::string_view name() const override { return "sampled_matmul"; }
  Type infer(const OpInputs& in) const override { return in[2]; }
  std::string_view no_gradient(int i) const override { return i == 2 ? "only its pattern is used" : ""; }
  // d (u v^T at p) by u is dy v, by v is dy^T u
  Expr gradient(const Expr& y, const Expr& dy, int i) const override {
    return i == 0 ? matmul(dy, y.input(1)) : matmul(dy, y.input(0), {.transpose_a = true});
  }
  void compute(Call& call) const override {
    call.set_pattern(call.in(2).pattern);
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      sampled_product(call.workers(), *call.in(2).pattern, call.in<T>(0), call.in<T>(1), call.in(0).shape()[1],
                      call.out<T>());
    });
  }
  void launch(DeviceCall& call) const override {
    call.set_pattern(call.in(2).pattern);
    sampled_product(call, call.in(2), call.in(0), call.in(1));
  }
};

Expr sampled_matmul(const Expr& u, const Expr& v, const Expr& pattern) {
  return apply(std::make_shared<SampledMatmul>(), {u, v, pattern});
}

// In what follows A and B are the operands as multiplied, C = A B: d A = dC B^T and d B = A^T dC. An operand
// that is stored transposed gets its gradient transposed, by swapping the product's factors.
Expr Matmul::gradient(const Expr& y, const Expr& dy, int i) const {
  const Expr a = y.input(0);
  const Expr b = y.input(1);
  const bool ta = options_.transpose_a;
  const bool tb = options_.transpose_b;
  if (y.input(i).layout() == Layout::csr) {
    if (i == 0) {
      const Expr right = tb ? transpose(b) : b;
      return ta ? sampled_matmul(right, dy, a) : sampled_matmul(dy, right, a);
    }
    const Expr left = ta ? a : transpose(a);
    return tb ? sampled_matmul(transpose(dy), left, b) : sampled_matmul(left, transpose(dy), b);
  }
  if (i == 1 && a.layout() == Layout::csr && !ta && !tb) return rows_product(a, dy);
  // Of many matrices by one, the rows are one below the other.
  const auto rows_of = [](const Expr& x) { return reshape(x, {-1, x.shape()[x.rank() - 1]}); };
  const bool one = i == 1 && a.rank() > 2 && b.rank() == 2 && !ta && a.layout() == Layout::dense;
  if (one && a.shape()[a.rank() - 1] > 0 && dy.shape()[dy.rank() - 1] > 0 && dy.rank() == a.rank())
    return tb ? matmul(rows_of(dy), rows_of(a), {.transpose_a = true})
              : matmul(rows_of(a), rows_of(dy), {.transpose_a = true});
  Expr dx;
  if (i == 0) {
    dx = ta ? matmul(b, dy, {.transpose_a = tb, .transpose_b = true}) : matmul(dy, b, {.transpose_b = !tb});
  } else {
    dx = tb ? matmul(dy, a, {.transpose_a = true, .transpose_b = ta}) : matmul(a, dy, {.transpose_a = !ta});
  }
  return dx.rank() == 2 ? dx : sum_like(dx, y.input(i));
}

Expr Matmul::simplified(const Expr& y, const DraftFacts& facts) const {
  if (y.rank() != 2) return {};
  const Expr a = y.input(0);
  const Expr b = y.input(1);
  // A transposed operand is taken as it is stored. (The csr kernels want their dense operand by rows.)
  if (a.layout() == Layout::dense && b.layout() == Layout::dense) {
    if (const Expr stored = transposed_matrix(a); stored.valid())
      return matmul(stored, b, {.transpose_a = !options_.transpose_a, .transpose_b = options_.transpose_b});
    // (What multiplies narrow matrices wants them by rows: to turn one round costs little beside a tall product.)
    const bool tall = y.shape()[0] >= 64 && y.shape()[1] <= widest_in_tiles && !options_.transpose_a;
    if (const Expr stored = transposed_matrix(b); stored.valid() && !tall)
      return matmul(a, stored, {.transpose_a = options_.transpose_a, .transpose_b = !options_.transpose_b});
  }
  // Of a table with more rows than A has, A touches few: they are gathered once, for the gradient and the update too.
  if (a.layout() == Layout::csr && !options_.transpose_a && b.layout() == Layout::dense && b.shape()[0] >= a.shape()[0])
    if (const Expr part = gathered_rows(b, facts.pattern_source(a), facts); part.valid()) return matmul(a, part);
  // Where the columns of B are all equal, so are those of A B: one is enough.
  const Expr column = repeated(b);
  if (!column.valid() || options_.transpose_b || y.shape()[1] == 1 || column.rank() != 2 || column.shape()[1] != 1 ||
      column.shape()[0] != b.shape()[0])
    return {};
  return broadcast_to(gives_rows_ ? rows_product(a, column) : matmul(a, column, options_), y.shape());
}

// (c A) B = c (A B) for a number c for each matrix of the batch, which more of them share in A, where the product is
// the smaller one to multiply by c. Likewise of B.
Expr Matmul::of_fewer_matrices(const Expr& y) const {
  if (!is_floating(y.dtype())) return {};
  for (const int i : {0, 1}) {
    const Expr factor = y.input(i);
    const auto of = scaled_matrices(factor);
    if (!of || y.shape().size() > factor.shape().size()) continue;
    return of->c * (i == 0 ? matmul(of->x, y.input(1), options_) : matmul(y.input(0), of->x, options_));
  }
  return {};
}

// A^T (d B) for a column d: the csr kernel multiplies as it reads. For a number d it is d (A^T B): where A and A^2 are
// the same, all that differs between two products may be this number.
Expr Matmul::reassociated(const Expr& y, const DraftFacts&) const {
  const Expr a = y.input(0), b = y.input(1);
  if (a.layout() == Layout::dense && b.layout() == Layout::dense) return of_fewer_matrices(y);
  if (a.layout() != Layout::csr || !options_.transpose_a) return {};
  if (const auto [factor, x] = scaled(b); factor != 1 && has_ones(a))
    return factor * (gives_rows_ ? rows_product(a, x) : matmul(a, x, options_));
  const auto of = of_column(b);
  return of ? scaled_rows_product(a, of->column, of->x, y.layout()) : Expr();
}

// A^T (d B) of a csr A [n, p], a column d [n, 1] and B [n, k]. Only plans make it.
class ScaledRowsProduct final : public Op {
 public:
  explicit ScaledRowsProduct(Layout layout) : layout_(layout) {}
  std::string_view name() const override { return "scaled_rows_product"; }
  Type infer(const OpInputs& in) const override { return {in[2].dtype, {in[0].shape[1], in[2].shape[1]}, layout_}; }
  std::string_view no_gradient(int) const override { return "only plans make it"; }
  Traits traits() const override { return {.rows_from = 0}; }
  Tiles tiles(std::span<const Type> in, const Type&) const override {
    return {Tiles::Gives::accumulated, 7, in[0].shape[0]};
  }
  void prepare_sum(Call& call) const override { call.set_index(call.in(0).pattern->active_columns()); }
  void compute(Call& call) const override {
    if (layout_ == Layout::rows && !call.adds) prepare_sum(call);
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      csr_transposed_times_dense(call, call.in(0), call.in<T>(2), call.out().shape()[1], call.out<T>(), call.in<T>(1));
    });
  }
  void launch(DeviceCall& call) const override {
    if (layout_ == Layout::rows) call.set_index(call.in(0).pattern->active_columns());
    csr_transposed_times_dense(call, call.in(0), call.in(2), call.in(1).data);
  }

 private:
  Layout layout_;
};

}  // namespace

Expr scaled_rows_product(const Expr& x, const Expr& d, const Expr& b, Layout layout) {
  return apply(std::make_shared<ScaledRowsProduct>(layout), {x, d, b});
}

std::optional<MatmulOptions> dense_product(const Expr& e) {
  if (!is_op(e, "matmul") || e.input(0).layout() != Layout::dense || e.input(1).layout() != Layout::dense)
    return std::nullopt;
  return static_cast<const Matmul&>(e.op()).options();
}

std::optional<MatmulOptions> matrix_product(const Expr& e) {
  if (!is_op(e, "matmul") || e.rank() != 2 || e.layout() != Layout::dense) return std::nullopt;
  return static_cast<const Matmul&>(e.op()).options();
}

Expr rows_product(const Expr& x, const Expr& d) {
  return apply(std::make_shared<Matmul>(MatmulOptions{.transpose_a = true}, true), {x, d});
}

Expr matmul(const Operand& a, const Operand& b, const MatmulOptions& options) {
  // The csr kernels walk the rows of the dense operand: one that is stored the other way is turned round before.
  const auto is_csr = [](const Operand& x) { return x.expr().valid() && x.expr().layout() == Layout::csr; };
  if (is_csr(a) && options.transpose_b)
    return matmul(a, Operand(transpose(b), b.where()), {.transpose_a = options.transpose_a});
  if (is_csr(b) && options.transpose_a)
    return matmul(Operand(transpose(a), a.where()), b, {.transpose_b = options.transpose_b});
  return apply(std::make_shared<Matmul>(options, false), {a, b});
}

}  // namespace gradus
