// Between layouts: to_dense, to_csr, sample.
#include <gradus/ops/sparse.h>

#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

constexpr std::int64_t rows_a_piece = 1024;

// --- to_dense, to_csr ------------------------------------------------------------------------------------

class ToDense final : public Op {
 public:
  std::string_view name() const override { return "to_dense"; }
  Type infer(const OpInputs& in) const override {
    if (in[0].layout == Layout::part) fail<TypeError>("to_dense: x is {}; its other rows are not known", in.layout(0));
    return {in[0].dtype, in[0].shape, Layout::dense};
  }
  Elements elements(std::span<const Type> in) const override { return view_if(in[0].layout == Layout::dense); }
  // A product, or what is repeated, is made dense in the first place.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    const Expr x = y.input(0);
    if (x.type() == y.type()) return x;
    if (x.layout() != Layout::rows || facts.readers(x) > 1) return {};
    if (is_op(x, "matmul")) return matmul(x.input(0), x.input(1), {.transpose_a = true});
    if (is_op(x, "scaled_rows_product")) return scaled_rows_product(x.input(0), x.input(1), x.input(2), Layout::dense);
    return repeated(x).valid() ? broadcast_to(to_dense(repeated(x)), y.shape()) : Expr();
  }
  // d to_dense(x) = dx, of which gradients() takes what x holds
  Expr gradient(const Expr&, const Expr& dy, int) const override { return dy; }

  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 1, y.shape[0]}; }

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
    call.workers().for_each(pattern.rows, rows_a_piece, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t r = first; r < last; ++r)
        for (std::int64_t j = pattern.row_start[static_cast<std::size_t>(r)];
             j < pattern.row_start[static_cast<std::size_t>(r) + 1]; ++j) {
          const std::int64_t to = r * pattern.columns + pattern.column[static_cast<std::size_t>(j)];
          std::memcpy(y + static_cast<std::size_t>(to) * size, x.data + static_cast<std::size_t>(j) * size, size);
        }
    });
  }
  void launch(DeviceCall& call) const override { write_out(call, call.in(0)); }
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
  Elements elements(std::span<const Type> in) const override { return view_if(in[0].layout == Layout::csr); }
  // d to_csr(x) = dx at the non-zeros
  Expr gradient(const Expr&, const Expr& dy, int) const override { return to_dense(dy); }

  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 1, y.shape[0]}; }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    dispatch(x.type.dtype, [&]<class T>(TypeTag<T>) {
      const T* from = x.as<T>();
      const std::shared_ptr<const CsrPattern> pattern = non_zeros_of(from, x.shape());
      call.set_pattern(pattern);
      T* to = call.out<T>();
      for (std::int64_t r = 0; r < pattern->rows; ++r)
        for (std::int64_t j = pattern->row_start[static_cast<std::size_t>(r)];
             j < pattern->row_start[static_cast<std::size_t>(r) + 1]; ++j)
          *to++ = from[r * pattern->columns + pattern->column[static_cast<std::size_t>(j)]];
    });
  }
  // The pattern is found on the host, which must know it, since all that reads the result is as large as it; once, as
  // long as x stays the same.
  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    call.set_pattern(call.pattern_made_of_numbers(0, [&](std::span<const std::byte> numbers) {
      std::shared_ptr<const CsrPattern> pattern;
      dispatch(x.type.dtype, [&]<class T>(TypeTag<T>) {
        pattern = non_zeros_of(reinterpret_cast<const T*>(numbers.data()), x.shape());
      });
      return pattern;
    }));
    if (call.out().stored == 0) return;
    DevicePattern& pattern = call.pattern(call.out());
    call.launch({"to_csr", text, using_type(x.type.dtype)}, grid_for(call.out().stored), x.data, call.out().data,
                pattern.row(), pattern.column(), call.out().stored, x.shape()[1]);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, const int* row, const int* column, gr_int64 stored, gr_int64 columns) {
  for (gr_int64 j = gr_first(); j < stored; j += gr_step()) y[j] = x[row[j] * columns + column[j]];
}
)cuda";

  template <class T>
  static std::shared_ptr<const CsrPattern> non_zeros_of(const T* x, const Shape& shape) {
    auto pattern = std::make_shared<CsrPattern>();
    pattern->rows = shape[0];
    pattern->columns = shape[1];
    std::vector<Index> column;
    for (std::int64_t r = 0; r < pattern->rows; ++r) {
      for (std::int64_t c = 0; c < pattern->columns; ++c)
        if (x[r * pattern->columns + c] != T{}) column.push_back(static_cast<Index>(c));
      pattern->row_start.push_back(static_cast<std::int64_t>(column.size()));
    }
    pattern->set_column(std::move(column));
    return pattern;
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
  // A csr matrix that an elementwise op made of one other has that one's pattern. Ones at a matrix of ones are that.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    const Expr source = facts.pattern_source(y.input(1));
    if (has_ones(source) && source.type() == y.type() && constant_number(y.input(0)) == 1.0) return source;
    return !same_node(source, y.input(1)) ? sample(y.input(0), source) : Expr();
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
  std::string formula(std::span<const Type>) const override { return "x0"; }
};

// The same for a csr x: its elements at the pattern's non-zeros, zero where x has none there.
class SampleCsr final : public Op {
 public:
  std::string_view name() const override { return "sample"; }

  Type infer(const OpInputs& in) const override {
    if (in[1].layout != Layout::csr) fail<TypeError>("sample: pattern is {}; csr is expected", in.layout(1));
    // A dimension that is not known yet may turn out to be the other's.
    const auto agree = [](std::int64_t a, std::int64_t b) { return a == b || a == any || b == any; };
    if (!std::equal(in[0].shape.begin(), in[0].shape.end(), in[1].shape.begin(), in[1].shape.end(), agree))
      fail<TypeError>("sample: x is csr {} but pattern is {}; they must agree", in.shape(0), in.shape(1));
    return {in[0].dtype, in[1].shape, Layout::csr};
  }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its pattern is used" : ""; }
  // d sample(x, p) = dx at the non-zeros of both
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return sample(dy, y.input(0)); }

  Tiles by_rows(std::span<const Type>, const Type& y) const override { return {Tiles::Gives::rows, 3, y.shape[0]}; }

  void compute(Call& call) const override {
    const CsrPattern& have = *call.in(0).pattern;
    const CsrPattern& want = *call.in(1).pattern;
    call.set_pattern(call.in(1).pattern);
    dispatch(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      const T* x = call.in<T>(0);
      T* y = call.out<T>();
      call.workers().for_each(want.rows, rows_a_piece, [&](std::int64_t first, std::int64_t last) {
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
  void launch(DeviceCall& call) const override {
    call.set_pattern(call.in(1).pattern);
    if (call.out().stored == 0) return;
    DevicePattern& have = call.pattern(call.in(0));
    DevicePattern& want = call.pattern(call.in(1));
    call.launch({"sample", text, using_type(call.out().type.dtype)}, grid_for(call.out().stored), call.in(0).data,
                call.out().data, have.row_start(), have.column(), want.row(), want.column(), call.out().stored);
  }

 private:
  // Each of the wanted is looked for among the columns of its row.
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, const gr_int64* row_start, const int* column, const int* want_row,
                                const int* want_column, gr_int64 wanted) {
  for (gr_int64 j = gr_first(); j < wanted; j += gr_step()) {
    gr_int64 first = row_start[want_row[j]], last = row_start[want_row[j] + 1];
    const gr_int64 end = last;
    while (first < last) {
      const gr_int64 middle = first + (last - first) / 2;
      if (column[middle] < want_column[j]) {
        first = middle + 1;
      } else {
        last = middle;
      }
    }
    y[j] = first < end && column[first] == want_column[j] ? x[first] : T(0);
  }
}
)cuda";
};

}  // namespace

void write_out(DeviceCall& call, const Value& x) {
  constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, const int* row, const int* column, gr_int64 stored, gr_int64 columns) {
  for (gr_int64 j = gr_first(); j < stored; j += gr_step()) y[row[j] * columns + column[j]] = x[j];
}
)cuda";
  const std::size_t bytes = size_of(x.type.dtype);
  call.accelerator().set_zero(call.out().data, call.out().stored * static_cast<std::int64_t>(bytes));
  if (x.stored == 0) return;
  if (x.type.layout == Layout::rows) {
    Box rows;
    rows.add(x.index->count(), x.row_size(), x.row_size());
    rows.add(x.row_size(), 1, 1);
    return copy_box(call, rows, x.data, call.out().data, bytes, call.held_rows(x));
  }
  DevicePattern& pattern = call.pattern(x);
  call.launch({"to_dense", text, using_type(x.type.dtype)}, grid_for(x.stored), x.data, call.out().data, pattern.row(),
              pattern.column(), x.stored, x.pattern->columns);
}

Operand without_rows(const Operand& x) {
  const Expr expr = x.expr();
  return expr.valid() && expr.layout() == Layout::rows ? Operand(to_dense(x), x.where()) : x;
}

Expr to_dense(const Operand& x) {
  const Expr expr = x.expr();
  return expr.valid() && expr.layout() == Layout::dense ? expr : apply(std::make_shared<ToDense>(), {x});
}

Expr to_csr(const Operand& x) {
  const Expr expr = x.expr();
  return expr.valid() && expr.layout() == Layout::csr ? expr : apply(std::make_shared<ToCsr>(), {x});
}

Expr sample(const Operand& x, const Operand& pattern) {
  const Expr expr = x.expr();
  if (expr.valid() && expr.layout() == Layout::csr) return apply(std::make_shared<SampleCsr>(), {x, pattern});
  return apply(std::make_shared<Sample>(), {x, pattern});
}

}  // namespace gradus
