#include "launch_cases.h"

#include <gradus/core/graph/op.h>
#include <gradus/core/listed.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>
#include <gradus/ops/unbroadcast.h>

#include <fmt/format.h>

namespace gradus {

namespace {

using Inputs = std::vector<Expr>;

double tolerance(DType dtype) { return dtype == float64 ? 1e-13 : 1e-5; }

// Some rows of a table, as layout `layout`.
Tensor some_rows(const Shape& table, const std::vector<Index>& rows, DType dtype, Layout layout = Layout::rows) {
  auto index = std::make_shared<RowIndex>();
  index->row = rows;
  return Tensor::rows(table, index, some_numbers(table.with(0, index->count()), dtype), layout);
}

// Of a table [columns, k], the rows that a csr matrix touches.
Tensor active_part_of(const Tensor& csr, std::int64_t k) {
  const auto& columns = csr.pattern()->active_columns();
  return Tensor::rows({csr.dim(1), k}, columns, some_numbers({columns->count(), k}, csr.dtype(), 5), Layout::part);
}

// A csr matrix [count, columns] of a single 1 in each row.
Tensor one_hot_of(const std::vector<Index>& column, std::int64_t columns, DType dtype) {
  auto pattern = std::make_shared<CsrPattern>();
  pattern->columns = columns;
  std::ranges::copy(column, pattern->new_rows(static_cast<std::int64_t>(column.size()), 1).begin());
  return Tensor::csr(pattern, full({pattern->non_zeros()}, 1, dtype));
}

Tensor ones_on(const Tensor& csr) { return Tensor::csr(csr.pattern(), full({csr.stored()}, 1, csr.dtype())); }

}  // namespace

Tensor some_csr(std::int64_t rows, std::int64_t columns, DType dtype, std::uint64_t seed) {
  const Tensor dense = some_numbers({rows, columns}, dtype, seed);
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = rows;
  pattern->columns = columns;
  std::vector<Index> column;
  std::uint64_t state = seed;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      if (r % 5 != 3 && c % 7 != 2 && (state >> 60U) < 6) column.push_back(static_cast<Index>(c));
    }
    pattern->row_start.push_back(static_cast<std::int64_t>(column.size()));
  }
  pattern->set_column(std::move(column));
  return Tensor::csr(pattern, some_numbers({pattern->non_zeros()}, dtype, seed + 1));
}

std::vector<LaunchCase> product_launch_cases() {
  std::vector<LaunchCase> cases;
  for (const DType dtype : {float32, float64, int32, int64}) {
    const auto add = [&](const std::string& name, std::vector<Tensor> inputs, auto build, double longer = 1) {
      cases.push_back({fmt::format("{} {}", name, to_string(dtype)), std::move(inputs), build,
                       is_floating(dtype) ? longer * tolerance(dtype) : 0});
    };
    const auto x = [&](const Shape& shape) { return some_numbers(shape, dtype); };
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const auto product = [=](Graph&, const Inputs& in) {
          return matmul(in[0], in[1], {.transpose_a = ta, .transpose_b = tb});
        };
        const auto a = [&](std::int64_t rows, std::int64_t columns) {
          return x(ta ? Shape{columns, rows} : Shape{rows, columns});
        };
        const auto b = [&](std::int64_t rows, std::int64_t columns) {
          return x(tb ? Shape{columns, rows} : Shape{rows, columns});
        };
        add("matmul", {a(5, 7), b(7, 3)}, product);
        add("large matmul", {a(40, 70), b(70, 50)}, product, 4);
        add("matmul of rows and columns", {a(1, 7), b(7, 1)}, product);
        add("matmul over nothing", {a(4, 0), b(0, 3)}, product);
        add("matmul to nothing", {a(0, 4), b(4, 3)}, product);
        add("batches", {x(ta ? Shape{2, 3, 4, 5} : Shape{2, 3, 5, 4}), x(tb ? Shape{3, 6, 4} : Shape{3, 4, 6})},
            product);
        add("batches of one",
            {x(ta ? Shape{2, 1, 4, 5} : Shape{2, 1, 5, 4}), x(tb ? Shape{1, 3, 6, 4} : Shape{1, 3, 4, 6})}, product);
      }
    if (!is_floating(dtype)) continue;
    const Tensor csr = some_csr(23, 17, dtype);
    const Tensor wide = some_csr(70, 300, dtype);
    const Tensor empty = some_csr(4, 0, dtype);
    const Tensor zero = Tensor::csr<float, Index>(6, 5, std::vector<Index>(7), {}, std::vector<float>{}).cast(dtype);
    for (const Tensor& m : {csr, ones_on(csr), wide, empty, zero, some_csr(1, 1, dtype)})
      for (const std::int64_t k : {0, 1, 3, 16, 40}) {
        const auto on = [&](const char* what) {
          return fmt::format("{} of {} non-zeros in {}, k = {},", what, m.stored(), to_string(m.shape()), k);
        };
        const Tensor by_columns = x({m.dim(1), k}), by_rows = x({m.dim(0), k});
        add(on("X B"), {m, by_columns}, [](Graph&, const Inputs& in) { return matmul(in[0], in[1]); });
        add(on("X part"), {m, active_part_of(m, k)}, [](Graph&, const Inputs& in) { return matmul(in[0], in[1]); });
        add(on("X^T D"), {m, by_rows},
            [](Graph&, const Inputs& in) { return matmul(in[0], in[1], {.transpose_a = true}); });
        add(on("X^T D to rows"), {m, by_rows}, [](Graph&, const Inputs& in) { return rows_product(in[0], in[1]); });
        for (const Layout layout : {Layout::dense, Layout::rows})
          add(on("X^T (d B)"), {m, x({m.dim(0), 1}), by_rows},
              [=](Graph&, const Inputs& in) { return scaled_rows_product(in[0], in[1], in[2], layout); });
        add(on("A X"), {x({k, m.dim(0)}), m}, [](Graph&, const Inputs& in) { return matmul(in[0], in[1]); });
        add(on("A X^T"), {x({k, m.dim(1)}), m},
            [](Graph&, const Inputs& in) { return matmul(in[0], in[1], {.transpose_b = true}); });
        add(on("U V^T at X"), {by_rows, by_columns, m}, [](Graph&, const Inputs& in) {
          const Expr y = matmul(in[2], in[1]);
          return y.op().gradient(y, in[0], 0);  // sampled_matmul of these
        });
      }
    // Non-zeros enough to be taken in chunks: columns that fill several, that lie in one, that end with one. Sums of
    // thousands of terms have more to round.
    const Tensor tall = some_csr(4000, 11, dtype);
    const Tensor broad = some_csr(64, 2000, dtype);
    const Tensor column = Tensor::from<float>(std::vector<float>(8320, 0.5F), {8320, 1}).to_csr().cast(dtype);
    for (const Tensor& m : {tall, broad, column})
      for (const std::int64_t k : {1, 3, 40})
        for (const Layout layout : {Layout::dense, Layout::rows}) {
          const std::string on = fmt::format("of {} non-zeros in {}, k = {},", m.stored(), to_string(m.shape()), k);
          const Tensor d = x({m.dim(0), 1}), b = x({m.dim(0), k});
          add(
              "X^T (d B) " + on, {m, d, b},
              [=](Graph&, const Inputs& in) { return scaled_rows_product(in[0], in[1], in[2], layout); }, 10);
          if (layout == Layout::rows)
            add(
                "X^T B " + on, {m, b}, [](Graph&, const Inputs& in) { return rows_product(in[0], in[1]); }, 10);
        }
    // And enough for the device to sort them by their columns.
    const Tensor vast = some_csr(100, 1500, dtype);
    for (const std::int64_t k : {1, 3})
      add(
          fmt::format("X^T B of {} non-zeros, k = {},", vast.stored(), k), {vast, x({100, k})},
          [](Graph&, const Inputs& in) { return rows_product(in[0], in[1]); }, 10);
    for (const std::int64_t k : {0, 1, 5, 16, 100}) {
      add("row_dots", {x({37, k}), x({37, k})}, [](Graph&, const Inputs& in) { return row_dots(in[0], in[1]); });
      const Tensor part = active_part_of(csr, k);
      add("row_dots of parts", {part, part}, [](Graph&, const Inputs& in) { return row_dots(in[0], in[1]); });
    }
  }
  return cases;
}

std::vector<LaunchCase> sparse_launch_cases() {
  std::vector<LaunchCase> cases;
  const auto add = [&](const std::string& name, std::vector<Tensor> inputs, auto build, double rtol = 0) {
    cases.push_back({name, std::move(inputs), build, rtol});
  };
  for (const DType dtype : {float32, int64})
    for (const Shape& data : {Shape{6}, Shape{6, 3}, Shape{6, 0}}) {
      const Tensor ids({4, 0, 4, 2, 0, 4}, int32);
      Graph g;
      const Tensor indicator = Session(g).run(to_csr(one_hot(g.constant(ids), 5, dtype)));
      const std::string of = fmt::format("{} {}", to_string(dtype), to_string(data));
      add("segment_max of " + of, {some_numbers(data, dtype), ids, indicator},
          [](Graph&, const Inputs& in) { return segment_max(in[0], in[1], 5); });
      add("unsorted segment_min of " + of, {some_numbers(data, dtype), ids, indicator},
          [](Graph&, const Inputs& in) { return unsorted_segment_min(in[0], in[1], 4).input(0); });
    }
  for (const DType dtype : {float32, float64, int32, int64, boolean}) {
    const std::string of(to_string(dtype));
    const bool number = dtype != boolean;
    const double rounded = is_floating(dtype) ? tolerance(dtype) : 0;
    for (const Tensor& m :
         {some_csr(23, 17, dtype), some_csr(3, 200, dtype), some_csr(4, 0, dtype), some_csr(0, 4, dtype)}) {
      const std::string on = fmt::format("{} csr {}", of, to_string(m.shape()));
      add("transpose " + on, {m}, [](Graph&, const Inputs& in) { return transpose(in[0]); });
      add("to_dense " + on, {m}, [](Graph&, const Inputs& in) { return to_dense(in[0]); });
      add("to_csr " + on, {m.to_dense()}, [](Graph&, const Inputs& in) { return to_csr(in[0]); });
      add("zeros_like " + on, {m}, [](Graph&, const Inputs& in) { return zeros_like(in[0]); });
      add("sample " + on, {m, some_csr(m.dim(0), m.dim(1), dtype, 8)},
          [](Graph&, const Inputs& in) { return sample(in[0], in[1]); });
      if (!number) continue;
      for (const std::vector<int>& axes : std::vector<std::vector<int>>{{0}, {1}, {0, 1}}) {
        if (dtype == float32 || dtype == int64) {
          add(fmt::format("sparse_reduce_max {} over [{}]", on, listed(axes)), {m},
              [=](Graph&, const Inputs& in) { return sparse_reduce_max(in[0], Axes(axes), keep_dims); });
          add(fmt::format("sparse_reduce_min {} over [{}]", on, listed(axes)), {m},
              [=](Graph&, const Inputs& in) { return sparse_reduce_min(in[0], Axes(axes), keep_dims); });
        }
        add(
            fmt::format("sum {} over [{}]", on, listed(axes)), {m},
            [=](Graph&, const Inputs& in) { return reduce_sum(in[0], Axes(axes)); }, rounded);
        if (is_floating(dtype))
          add(
              fmt::format("mean {} over [{}]", on, listed(axes)), {m},
              [=](Graph&, const Inputs& in) { return reduce_mean(in[0], Axes(axes)); }, rounded);
      }
      if (!is_floating(dtype)) continue;
      const std::int64_t n = m.dim(0), p = m.dim(1);
      std::vector<Index> group;  // of the columns: 2, 1, 0, -1, 2, ...
      for (std::int64_t c = 0; c < p; ++c) group.push_back(static_cast<Index>((c * 3 + 3) % 4) - 1);
      add("split_rows " + on, {m}, [=](Graph&, const Inputs& in) { return split_rows(in[0], group, 3); });
      Graph g;
      const Tensor split = Session(g).run(split_rows(g.constant(m), group, 3));
      add("join_rows " + on, {split, m}, [=](Graph&, const Inputs& in) {
        const Expr y = split_rows(in[1], group, 3);
        return y.op().gradient(y, in[0], 0);
      });
      for (const Shape& like : {Shape{p}, Shape{n, 1}, Shape{1, p}, Shape{}, Shape{1, 1}, Shape{n, p}})
        add(
            fmt::format("sum {} like {}", on, to_string(like)), {m, some_numbers(like, dtype)},
            [](Graph&, const Inputs& in) { return sum_csr_like(in[0], in[1]); }, rounded);
      for (const std::int64_t k : {1, 4}) {
        add("part_of by " + on, {some_numbers({p, k}, dtype), m},
            [](Graph&, const Inputs& in) { return active_part(in[0], in[1]); });
      }
    }
    for (const Shape& table : {Shape{9}, Shape{9, 1}, Shape{9, 4}, Shape{9, 2, 3}, Shape{9, 0}})
      for (const std::vector<Index>& held : std::vector<std::vector<Index>>{{}, {0}, {1, 2, 8}}) {
        const std::string on = fmt::format("{} rows of {} {}", held.size(), of, to_string(table));
        const Tensor rows = some_rows(table, held, dtype);
        add("to_dense of " + on, {rows}, [](Graph&, const Inputs& in) { return to_dense(in[0]); });
        add("zeros_like of " + on, {rows}, [](Graph&, const Inputs& in) { return zeros_like(in[0]); });
        add("transpose of " + on, {rows}, [](Graph&, const Inputs& in) { return transpose(in[0]); });
        if (table.rank() == 3)
          add("transpose of " + on, {rows}, [](Graph&, const Inputs& in) { return transpose(in[0], {1, 0, 2}); });
        if (table == Shape{9, 1})
          add("broadcast_to of " + on, {rows}, [](Graph&, const Inputs& in) { return broadcast_to(in[0], {9, 5}); });
        add("part_of by " + on, {some_numbers(table, dtype), rows},
            [](Graph&, const Inputs& in) { return part_of(in[0], in[1]); });
        if (!number) continue;
        std::vector<int> axes;
        for (int axis = 0; axis < table.rank(); ++axis) axes.push_back(axis);
        add(
            "sum of " + on, {rows}, [=](Graph&, const Inputs& in) { return reduce_sum(in[0], Axes(axes)); }, rounded);
      }
    if (!number) continue;
    for (const Shape& row : {Shape{}, Shape{1}, Shape{3}, Shape{2, 2}, Shape{0}})
      for (const DType index : {int32, int64}) {
        Shape table{9}, updates{3, 2};
        for (const std::int64_t dim : row) {
          table = table.insert(table.rank(), dim);
          updates = updates.insert(updates.rank(), dim);
        }
        const Tensor indices = Tensor({{4, 0}, {4, 8}, {0, 4}}, index);
        const auto build = [=](Graph&, const Inputs& in) { return scatter_add(in[0], in[1], table); };
        add(fmt::format("scatter_add {} to {} {}", to_string(index), of, to_string(table)),
            {indices, some_numbers(updates, dtype), one_hot_of({4, 0, 4, 8, 0, 4}, 9, dtype)}, build);
        add(fmt::format("indicator {} of {} {}", to_string(index), of, to_string(table)),
            {indices, some_numbers(updates, dtype)}, [=](Graph& g, const Inputs& in) { return build(g, in).input(2); });
      }
    for (const Shape& like : {Shape{}, Shape{3}, Shape{2, 1}, Shape{1, 3}, Shape{2, 3}})
      add(
          fmt::format("sum_like {} {}", of, to_string(like)),
          {some_numbers({4, 2, 3}, dtype), some_numbers(like, dtype)},
          [](Graph&, const Inputs& in) { return sum_like(in[0], in[1]); }, rounded);
  }
  return cases;
}

}  // namespace gradus
