// The sums of a csr matrix, which reductions and gradients share.
#include <gradus/ops/box.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/reduce_launch.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>

#include <algorithm>

namespace gradus {

namespace {

constexpr std::int64_t sums_a_piece = 1024;

template <class T, class W>
T scaled(W sum, double scale) {
  if constexpr (std::is_floating_point_v<T>) return static_cast<T>(scale == 1 ? sum : sum * static_cast<W>(scale));
  return static_cast<T>(sum);
}

// The sum of each column that holds a non-zero, column by column: no two threads write one sum.
template <class T, class Write>
void sum_active_columns(Workers& workers, const CsrPattern& pattern, const T* values, const Write& write) {
  const auto& by_column = pattern.by_column();
  workers.for_each(pattern.active_columns()->count(), sums_a_piece, [&](std::int64_t first, std::int64_t last) {
    for (auto c = static_cast<std::size_t>(first); c < static_cast<std::size_t>(last); ++c) {
      typename Sum<T>::Wide sum = 0;
      for (auto j = static_cast<std::size_t>(by_column.start[c]); j < static_cast<std::size_t>(by_column.start[c + 1]);
           ++j)
        sum = Sum<T>::combine(sum, static_cast<typename Sum<T>::Wide>(values[by_column.position[j]]));
      write(c, sum);
    }
  });
}

class SumCsrLike final : public Op {
 public:
  std::string_view name() const override { return "sum_csr_like"; }

  Type infer(const OpInputs& in) const override {
    return {in[0].dtype, in[1].shape, is_row(in[0].shape, in[1].shape) ? Layout::rows : Layout::dense};
  }
  Traits traits() const override { return {.reads = 0b1U, .rows_from = 0}; }

  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    const std::int64_t rows = in[0].shape[0];
    const bool by_row = y.shape.rank() == 2 && y.shape[0] == rows;
    return {by_row ? Tiles::Gives::rows : Tiles::Gives::sum, 1, rows};
  }

  // sum_i d_i x_ij is the product x^T d; d is spread over x's own pattern here.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    const Expr g = y.input(0);
    if (y.layout() != Layout::rows || !is_op(g, "multiply") || facts.readers(g) > 1) return {};
    for (const int i : {0, 1}) {
      const Expr x = g.input(i);
      const Expr spread = g.input(1 - i);
      if (is_op(spread, "sample") && x.layout() == Layout::csr && spread.input(0).layout() == Layout::dense &&
          same_node(facts.pattern_source(spread.input(1)), facts.pattern_source(x)) &&
          spread.input(0).shape() == Shape({x.shape()[0], 1}))
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
      call.set_index(g.pattern->active_columns());
      dispatch_floating(g.type.dtype, [&]<class T>(TypeTag<T>) {
        T* y = call.out<T>();
        sum_active_columns(call.workers(), *g.pattern, g.as<T>(),
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
  void launch(DeviceCall& call) const override {
    const Value& g = call.in(0);
    const Shape& to = call.out().shape();
    if (is_row(g.shape(), to)) {
      call.set_index(g.pattern->active_columns());
      const DevicePattern::ByColumn by_column = call.pattern(g).by_column();
      const SegmentSums columns{by_column.start, call.out().index->count(), by_column.position};
      sum_segments(call, columns, g.type.dtype, g.data, call.out().data);
    } else if (to.size() == 1) {
      sum_csr(call, g, call.out().data, 1);
    } else if (to.rank() == 2 && to[1] == 1) {
      sum_csr_rows(call, g, call.out().data, 1);
    } else if (to == g.shape()) {
      write_out(call, g);
    } else {
      sum_csr_columns(call, g, call.out().data, 1);
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
    workers.for_each(x.shape()[0], sums_a_piece, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r)
        to[r] = scaled<T>(detail::reduce_run<Sum<T>>(x.as<T>() + start[r] - start[0], start[r + 1] - start[r]), scale);
    });
  });
}

void sum_csr_columns(Workers& workers, const Value& x, std::byte* y, double scale) {
  dispatch_number(x.type.dtype, [&]<class T>(TypeTag<T>) {
    T* to = reinterpret_cast<T*>(y);
    std::fill_n(to, x.pattern->columns, scaled<T>(typename Sum<T>::Wide{0}, scale));  // NaN for a mean of nothing
    const auto& column = x.pattern->active_columns()->row;
    sum_active_columns(workers, *x.pattern, x.as<T>(),
                       [&](std::size_t c, auto sum) { to[column[c]] = scaled<T>(sum, scale); });
  });
}

void sum_csr(Workers&, const Value& x, std::byte* y, double scale) {
  dispatch_number(x.type.dtype, [&]<class T>(TypeTag<T>) {
    *reinterpret_cast<T*>(y) = scaled<T>(detail::reduce_run<Sum<T>>(x.as<T>(), x.stored), scale);
  });
}

void sum_csr_rows(DeviceCall& call, const Value& x, std::byte* y, double scale) {
  const SegmentSums rows{call.pattern(x).row_start(), x.pattern->rows, nullptr, nullptr, scale};
  sum_segments(call, rows, x.type.dtype, x.data, y);
}

void sum_csr_columns(DeviceCall& call, const Value& x, std::byte* y, double scale) {
  fill(call, y, x.type.dtype, x.pattern->columns, is_floating(x.type.dtype) ? 0 * scale : 0);
  DevicePattern& pattern = call.pattern(x);
  const DevicePattern::ByColumn by_column = pattern.by_column();
  const SegmentSums columns{by_column.start, x.pattern->active_columns()->count(), by_column.position, pattern.active(),
                            scale};
  sum_segments(call, columns, x.type.dtype, x.data, y);
}

void sum_csr(DeviceCall& call, const Value& x, std::byte*, double scale) {
  reduce_dense(call, "gr_Sum", x, Shape({x.stored}), 1, scale);
}

Expr sum_csr_like(const Expr& g, const Expr& x) { return apply(std::make_shared<SumCsrLike>(), {g, x}); }

}  // namespace gradus
