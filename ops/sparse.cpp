// Between layouts: to_dense, to_csr, sample; and the sums of a csr matrix, which reductions and gradients share.
#include <gradus/ops/sparse.h>

#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/rules.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

constexpr std::int64_t rows_at_a_time = 1024;

template <class T, class W>
T scaled(W sum, double scale) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(scale == 1 ? sum : sum * static_cast<W>(scale));
  return static_cast<T>(sum);
}

// The sum of each column that holds a non-zero, column by column: no two threads write one sum.
template <class T, class Write>
void sum_touched_columns(Workers& workers, const CsrPattern& pattern, const T* values, const Write& write) {
  const auto& by_column = pattern.by_column();
  workers.for_each(pattern.touched().columns->count(), rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
    for (auto c = static_cast<std::size_t>(first); c < static_cast<std::size_t>(last); ++c) {
      typename Sum<T>::Wide sum = 0;
      for (auto j = static_cast<std::size_t>(by_column.start[c]); j < static_cast<std::size_t>(by_column.start[c + 1]);
           ++j)
        sum = Sum<T>::combine(sum, static_cast<typename Sum<T>::Wide>(values[by_column.position[j]]));
      write(c, sum);
    }
  });
}

// --- to_dense, to_csr ------------------------------------------------------------------------------------

class ToDense final : public Op {
 public:
  std::string_view name() const override { return "to_dense"; }
  Type infer(const OpInputs& in) const override {
    if (in[0].layout == Layout::part) fail<TypeError>("to_dense: x is {}; its other rows are not known", in.layout(0));
    return {in[0].dtype, in[0].shape, Layout::dense};
  }
  bool is_view(std::span<const Type> in) const override { return in[0].layout == Layout::dense; }
  // A product, or what is repeated, is made dense in the first place.
  Expr simplified(const Expr& y, const Uses& uses) const override {
    const Expr x = y.input(0);
    if (x.type() == y.type()) return x;
    if (x.layout() != Layout::rows || uses.of(x) > 1) return {};
    if (is_op(x, "matmul")) return matmul(x.input(0), x.input(1), {.transpose_a = true});
    if (is_op(x, "scaled_rows_product")) return scaled_rows_product(x.input(0), x.input(1), x.input(2), Layout::dense);
    return repeated(x) ? broadcast_to(to_dense(repeated(x)), y.shape()) : Expr();
  }
  // d to_dense(x) = dx, of which gradients() takes what x holds
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    const std::size_t size = size_of(x.type.dtype);
    std::byte* y = call.out().data;
    const auto bytes = static_cast<std::size_t>(call.out().stored) * size;
    if (bytes > 0) std::memset(y, 0, bytes);
    if (x.type.layout == Layout::rows) {
      const std::size_t row = static_cast<std::size_t>(x.row_size()) * size;
      for (std::size_t r = 0; r < x.index->row.size() && row > 0; ++r)
        std::memcpy(y + static_cast<std::size_t>(x.index->row[r]) * row, x.data + r * row, row);
      return;
    }
    const CsrPattern& pattern = *x.pattern;
    call.workers().for_each(pattern.rows, rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r)
        for (std::int64_t j = pattern.row_start[static_cast<std::size_t>(r)];
             j < pattern.row_start[static_cast<std::size_t>(r) + 1]; ++j) {
          const std::int64_t to = r * pattern.columns + pattern.column[static_cast<std::size_t>(j)];
          std::memcpy(y + static_cast<std::size_t>(to) * size, x.data + static_cast<std::size_t>(j) * size, size);
        }
    });
  }
};

class ToCsr final : public Op {
 public:
  std::string_view name() const override { return "to_csr"; }
  Type infer(const OpInputs& in) const override {
    if (in[0].layout != Layout::csr) require_dense(name(), in);
    if (in[0].shape.rank() != 2) fail<TypeError>("to_csr: x is {}; a csr matrix has two dimensions", in.shape(0));
    if (std::max(in[0].shape[0], in[0].shape[1]) > max_sparse_dimension)
      fail<TypeError>("to_csr: x is {}; a csr matrix has at most {} rows and columns", in.shape(0),
                      max_sparse_dimension);
    return {in[0].dtype, in[0].shape, Layout::csr};
  }
  bool is_view(std::span<const Type> in) const override { return in[0].layout == Layout::csr; }
  // d to_csr(x) = dx at the non-zeros
  Expr gradient(const Expr&, const Expr& dy, int) const override { return to_dense(dy); }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    dispatch(x.type.dtype, [&]<class T>(TypeTag<T>) {
      auto pattern = std::make_shared<CsrPattern>();
      pattern->rows = x.shape()[0];
      pattern->columns = x.shape()[1];
      const T* from = x.as<T>();
      std::vector<Index> column;
      for (std::int64_t r = 0; r < pattern->rows; ++r) {
        for (std::int64_t c = 0; c < pattern->columns; ++c)
          if (from[r * pattern->columns + c] != T{}) column.push_back(static_cast<Index>(c));
        pattern->row_start.push_back(static_cast<std::int64_t>(column.size()));
      }
      pattern->set_column(std::move(column));
      call.set_pattern(pattern);
      T* to = call.out<T>();
      for (std::int64_t r = 0; r < pattern->rows; ++r)
        for (std::int64_t j = pattern->row_start[static_cast<std::size_t>(r)];
             j < pattern->row_start[static_cast<std::size_t>(r) + 1]; ++j)
          *to++ = from[r * pattern->columns + pattern->column[static_cast<std::size_t>(j)]];
    });
  }
};

// --- sample ----------------------------------------------------------------------------------------------

// An elementwise op in which only the second operand's pattern counts: f(x, p) = x, on p's non-zeros.
class Sample final : public Op {
 public:
  std::string_view name() const override { return "sample"; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    if (in[1].layout != Layout::csr) fail<TypeError>("sample: pattern is {}; csr is expected", in.layout(1));
    const auto shape = broadcast(in[0].shape, in[1].shape);
    if (!shape || shape->rank() != 2 || !matches(in[1].shape, *shape))
      fail<TypeError>("sample: x is {} but pattern is {}; x must broadcast to it", in.shape(0), in.shape(1));
    return {in[0].dtype, in[1].shape, Layout::csr};
  }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its pattern is used" : ""; }
  // A csr matrix that an elementwise op made of one other has that one's pattern.
  Expr simplified(const Expr& y, const Uses&) const override {
    const Expr source = pattern_source(y.input(1));
    return source != y.input(1) ? sample(y.input(0), source) : Expr();
  }
  // d sample(x, p) = dx at the non-zeros, 0 elsewhere
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }

  RowKernel row_kernel(std::span<const Type> in) const override {
    return dispatch(in[0].dtype, [](auto tag) -> RowKernel {
      using T = typename decltype(tag)::type;
      return [](const void* const* from, unsigned scalars, void* out, std::int64_t n) {
        const T* x = static_cast<const T*>(from[0]);
        if ((scalars & 1U) != 0) {
          std::fill_n(static_cast<T*>(out), n, *x);
        } else {
          std::copy_n(x, n, static_cast<T*>(out));
        }
      };
    });
  }
};

// The same for a csr x: its elements at the pattern's non-zeros, zero where x has none there.
class SampleCsr final : public Op {
 public:
  std::string_view name() const override { return "sample"; }

  Type infer(const OpInputs& in) const override {
    if (in[1].layout != Layout::csr) fail<TypeError>("sample: pattern is {}; csr is expected", in.layout(1));
    const auto shape = broadcast(in[0].shape, in[1].shape);
    if (!shape || !matches(in[0].shape, *shape) || !matches(in[1].shape, *shape))
      fail<TypeError>("sample: x is csr {} but pattern is {}; they must agree", in.shape(0), in.shape(1));
    return {in[0].dtype, in[1].shape, Layout::csr};
  }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its pattern is used" : ""; }
  // d sample(x, p) = dx at the non-zeros of both
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return sample(dy, y.input(0)); }

  void compute(Call& call) const override {
    const CsrPattern& have = *call.in(0).pattern;
    const CsrPattern& want = *call.in(1).pattern;
    call.set_pattern(call.in(1).pattern);
    dispatch(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      const T* x = call.in<T>(0);
      T* y = call.out<T>();
      call.workers().for_each(want.rows, rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
        for (auto r = static_cast<std::size_t>(first); r < static_cast<std::size_t>(last); ++r) {
          auto from = static_cast<std::size_t>(have.row_start[r]);
          const auto end = static_cast<std::size_t>(have.row_start[r + 1]);
          for (auto j = static_cast<std::size_t>(want.row_start[r]);
               j < static_cast<std::size_t>(want.row_start[r + 1]); ++j) {
            while (from < end && have.column[from] < want.column[j]) ++from;
            y[j] = from < end && have.column[from] == want.column[j] ? x[from] : T{};
          }
        }
      });
    });
  }
};

// --- sum_csr_like ----------------------------------------------------------------------------------------

class SumCsrLike final : public Op {
 public:
  std::string_view name() const override { return "sum_csr_like"; }

  Type infer(const OpInputs& in) const override {
    return {in[0].dtype, in[1].shape, is_row(in[0].shape, in[1].shape) ? Layout::rows : Layout::dense};
  }
  bool reads(int i) const override { return i == 0; }
  int rows_from() const override { return 0; }

  // sum_i d_i x_ij is the product x^T d; d is spread over x's own pattern here.
  Expr simplified(const Expr& y, const Uses& uses) const override {
    const Expr g = y.input(0);
    if (y.layout() != Layout::rows || !is_op(g, "multiply") || uses.of(g) > 1) return {};
    for (const int i : {0, 1}) {
      const Expr x = g.input(i);
      const Expr spread = g.input(1 - i);
      if (is_op(spread, "sample") && x.layout() == Layout::csr && spread.input(0).layout() == Layout::dense &&
          spread.input(1) == x && spread.input(0).shape() == Shape({x.shape()[0], 1}))
        return reshape(rows_product(x, spread.input(0)), y.shape());
    }
    return {};
  }

  // d sum(g) = sum(dg): every element of g hands its gradient on
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return sample(dy, y.input(0)); }

  void compute(Call& call) const override {
    const Value& g = call.in(0);
    const Shape& to = call.out().shape();
    if (is_row(g.shape(), to)) {
      call.set_index(g.pattern->touched().columns);
      dispatch_floating(g.type.dtype, [&]<class T>(TypeTag<T>) {
        T* y = call.out<T>();
        sum_touched_columns(call.workers(), *g.pattern, g.as<T>(),
                            [&](std::size_t c, auto sum) { y[c] = static_cast<T>(sum); });
      });
    } else if (to.size() == 1) {
      sum_csr(call.workers(), g, call.out().data, 1);
    } else if (to.rank() == 2 && to[1] == 1) {
      sum_csr_rows(call.workers(), g, call.out().data, 1);
    } else if (to == g.shape()) {
      fill_dense(call);
    } else {
      sum_csr_columns(call.workers(), g, call.out().data, 1);
    }
  }

 private:
  // [p] beside [n, p]. A single number is rather a scalar.
  static bool is_row(const Shape& g, const Shape& x) {
    return x.rank() == 1 && x[0] != 1 && (x[0] == g[1] || x[0] == any);
  }

  static void fill_dense(Call& call) {
    const Value& g = call.in(0);
    dispatch_floating(g.type.dtype, [&]<class T>(TypeTag<T>) {
      T* y = call.out<T>();
      std::fill_n(y, call.out().stored, T{});
      const CsrPattern& pattern = *g.pattern;
      for (std::int64_t r = 0; r < pattern.rows; ++r)
        for (std::int64_t j = pattern.row_start[static_cast<std::size_t>(r)];
             j < pattern.row_start[static_cast<std::size_t>(r) + 1]; ++j)
          y[r * pattern.columns + pattern.column[static_cast<std::size_t>(j)]] = g.as<T>()[j];
    });
  }
};

}  // namespace

void sum_csr_rows(Workers& workers, const Value& x, std::byte* y, double scale) {
  dispatch_number(x.type.dtype, [&]<class T>(TypeTag<T>) {
    T* to = reinterpret_cast<T*>(y);
    const std::int64_t* start = x.row_start();
    workers.for_each(x.shape()[0], rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r)
        to[r] = scaled<T>(detail::reduce_run<Sum<T>>(x.as<T>() + start[r] - start[0], start[r + 1] - start[r]), scale);
    });
  });
}

void sum_csr_columns(Workers& workers, const Value& x, std::byte* y, double scale) {
  dispatch_number(x.type.dtype, [&]<class T>(TypeTag<T>) {
    T* to = reinterpret_cast<T*>(y);
    std::fill_n(to, x.pattern->columns, scaled<T>(typename Sum<T>::Wide{0}, scale));  // NaN for a mean of nothing
    const auto& column = x.pattern->touched().columns->row;
    sum_touched_columns(workers, *x.pattern, x.as<T>(),
                        [&](std::size_t c, auto sum) { to[column[c]] = scaled<T>(sum, scale); });
  });
}

void sum_csr(Workers&, const Value& x, std::byte* y, double scale) {
  dispatch_number(x.type.dtype, [&]<class T>(TypeTag<T>) {
    *reinterpret_cast<T*>(y) = scaled<T>(detail::reduce_run<Sum<T>>(x.as<T>(), x.stored), scale);
  });
}

Operand without_rows(const Operand& x) {
  const Expr expr = x.expr();
  return expr && expr.layout() == Layout::rows ? Operand(to_dense(x), x.where()) : x;
}

Expr sum_csr_like(const Expr& g, const Expr& x) { return apply(std::make_shared<SumCsrLike>(), {g, x}); }

Expr to_dense(const Operand& x) {
  const Expr expr = x.expr();
  return expr && expr.layout() == Layout::dense ? expr : apply(std::make_shared<ToDense>(), {x});
}

Expr to_csr(const Operand& x) {
  const Expr expr = x.expr();
  return expr && expr.layout() == Layout::csr ? expr : apply(std::make_shared<ToCsr>(), {x});
}

Expr sample(const Operand& x, const Operand& pattern) {
  const Expr expr = x.expr();
  if (expr && expr.layout() == Layout::csr) return apply(std::make_shared<SampleCsr>(), {x, pattern});
  return apply(std::make_shared<Sample>(), {x, pattern});
}

}  // namespace gradus
