// Rows of a table by index, and what leads back: gather, scatter_add (its gradient), and part_of, which reads of
// a table the rows that a gradient touches.
#include <gradus/core/tensor/table_rows.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/device_rows.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/rules.h>
#include <gradus/ops/sparse.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace gradus {

namespace {

void require_indices(std::string_view op, const OpInputs& in, int i) {
  if (!is_integer(in[i].dtype)) fail<TypeError>("{}: indices is {}; int32 or int64 is expected", op, in.dtype(i));
  require_dense(op, in, i, "indices");
}

std::int64_t index_at(const Value& indices, std::int64_t i) {
  return indices.type.dtype == int32 ? indices.as<std::int32_t>()[i] : indices.as<std::int64_t>()[i];
}

template <class AnyCall>  // Call or DeviceCall
std::int64_t checked(std::int64_t index, std::int64_t rows, std::string_view op, const AnyCall& call, int table) {
  if (index >= 0 && index < rows) return index;
  const Value& t = call.in(table);
  fail<ValueError>("{}: index {} is out of range for x, which is {} {}; indices go from 0 to {}", op, index,
                   to_string(t.shape()), call.source(table), rows - 1);
}

// Input i of an accelerator's call, its numbers on the host.
Value on_host(DeviceCall& call, int i) {
  Value value = call.in(i);
  value.data = const_cast<std::byte*>(call.numbers(i).data());  // only read
  return value;
}

// [i, ...] and [p, q, ...] to [i, ..., q, ...]
Shape gathered_shape(std::string_view op, const Shape& x, const Shape& indices) {
  if (indices.rank() + x.rank() - 1 > Shape::max_rank)
    fail<TypeError>("{}: indices {} of x {} give more than {} dimensions", op, to_string(indices), to_string(x),
                    Shape::max_rank);
  Shape shape = indices;
  for (int axis = 1; axis < x.rank(); ++axis) shape = shape.insert(shape.rank(), x[axis]);
  return shape;
}

class Gather final : public Op {
 public:
  std::string_view name() const override { return "gather"; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    require_indices(name(), in, 1);
    if (in[0].shape.rank() == 0) fail<TypeError>("gather: x is {}; a scalar has no rows", in.shape(0));
    return {in[0].dtype, gathered_shape(name(), in[0].shape, in[1].shape), Layout::dense};
  }
  std::string_view no_gradient(int i) const override { return i == 1 ? "indices are integers" : ""; }
  Expr gradient(const Expr& y, const Expr& dy, int) const override;

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    const std::int64_t rows = x.shape()[0];
    const std::size_t row = static_cast<std::size_t>(x.row_size()) * size_of(x.type.dtype);
    const std::int64_t chunk =
        std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(1, static_cast<std::int64_t>(row)));
    call.workers().for_each(call.in(1).stored, chunk, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t from = checked(index_at(call.in(1), i), rows, name(), call, 0);
        if (row > 0)
          std::memcpy(call.out().data + static_cast<std::size_t>(i) * row,
                      x.data + static_cast<std::size_t>(from) * row, row);
      }
    });
  }

  // The indices are checked on the host, where an error can be told; once, as long as they stay the same.
  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    const Value& indices = call.in(1);
    if (!call.unchanged(1)) {
      const Value given = on_host(call, 1);
      for (std::int64_t i = 0; i < given.stored; ++i) checked(index_at(given, i), x.shape()[0], name(), call, 0);
    }
    const std::size_t row = static_cast<std::size_t>(x.row_size()) * size_of(x.type.dtype);
    if (indices.type.dtype == int32) {
      gather_rows(call, x.data, indices.as<Index>(), indices.stored, row, call.out().data);
    } else {
      gather_rows(call, x.data, indices.as<std::int64_t>(), indices.stored, row, call.out().data);
    }
  }
};

// Inputs: indices, updates, and for a gradient the table, which lends its shape.
class ScatterAdd final : public Op {
 public:
  explicit ScatterAdd(const Shape& shape) : shape_(shape) {}

  std::string_view name() const override { return "scatter_add"; }

  Type infer(const OpInputs& in) const override {
    require_indices(name(), in, 0);
    require_dense(name(), in, 1, "updates");
    const Shape& shape = in.count() == 3 ? in[2].shape : shape_;
    if (shape.rank() == 0) fail<TypeError>("scatter_add: shape is []; a scalar has no rows");
    const Shape expected = gathered_shape(name(), shape, in[0].shape);
    if (!broadcast(expected, in[1].shape) || expected.rank() != in[1].shape.rank())
      fail<TypeError>("scatter_add: updates is {}; with indices {} and shape {} it must be {}", in.shape(1),
                      in.shape(0), to_string(shape), to_string(expected));
    return {in[1].dtype, shape, Layout::rows};
  }
  bool reads(int i) const override { return i < 2; }
  std::string_view no_gradient(int i) const override { return i == 0 ? "indices are integers" : ""; }
  // d scatter_add(i, u) = the rows of dy at i
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return gather(dy, y.input(0)); }

  void compute(Call& call) const override {
    const Value& indices = call.in(0);
    const std::int64_t count = indices.stored;
    std::int64_t* order = call.scratch<std::int64_t>(count);
    sort(indices, call.out().shape(), order);
    const std::shared_ptr<RowIndex> touched = call.new_index();
    set_touched(indices, order, *touched);
    call.set_index(touched);
    const std::int64_t width = call.out().row_size();
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      const T* updates = call.in<T>(1);
      T* y = call.out<T>();
      std::fill_n(y, call.out().stored, T{});
      std::size_t row = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        if (touched->row[row] != index_at(indices, order[i])) ++row;
        T* to = y + static_cast<std::int64_t>(row) * width;
        const T* from = updates + order[i] * width;
        for (std::int64_t j = 0; j < width; ++j) to[j] = Sum<T>::combine(to[j], from[j]);
      }
    });
  }

  // The order is found on the host, which must know the rows of the result; once, as long as the indices stay the same.
  void launch(DeviceCall& call) const override {
    if (!call.unchanged(0)) keep_order(call);
    call.set_index(call.last_index());
    const std::int64_t width = call.out().row_size(), rows = call.out().index->count();
    if (rows * width == 0) return;
    call.launch({"scatter_add", text, using_type(call.out().type.dtype)}, grid_for(rows * width), call.in(1).data,
                call.out().data, call.kept(), rows, width);
  }

 private:
  // On the device: where each row's updates begin in the order, then the order.
  static void keep_order(DeviceCall& call) {
    const Value indices = on_host(call, 0);
    const auto count = static_cast<std::size_t>(indices.stored);
    std::vector<std::int64_t> order(count);
    sort(indices, call.out().shape(), order.data());
    set_touched(indices, order.data(), *call.new_index());
    std::vector<std::int64_t> start;
    for (std::size_t i = 0; i < count; ++i)
      if (i == 0 || index_at(indices, order[i]) != index_at(indices, order[i - 1]))
        start.push_back(static_cast<std::int64_t>(i));
    start.push_back(indices.stored);
    start.insert(start.end(), order.begin(), order.end());
    const auto bytes = static_cast<std::int64_t>(start.size() * sizeof(std::int64_t));
    call.accelerator().upload(call.keep(bytes), reinterpret_cast<const std::byte*>(start.data()), bytes);
  }

  // A thread for each number of a row of the result, which adds in the order of the indices.
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* updates, T* y, const gr_int64* start, gr_int64 rows, gr_int64 width) {
  const gr_int64* order = start + rows + 1;
  for (gr_int64 i = gr_first(); i < rows * width; i += gr_step()) {
    const gr_int64 row = i / width, column = i % width;
    T sum = 0;
    for (gr_int64 j = start[row]; j < start[row + 1]; ++j) sum = gr_add(sum, updates[order[j] * width + column]);
    y[i] = sum;
  }
}
)cuda";

  // The order of the indices by row; equal ones stay in their order, so sums are the same in every run.
  static void sort(const Value& indices, const Shape& shape, std::int64_t* order) {
    const std::int64_t count = indices.stored;
    std::iota(order, order + count, std::int64_t{0});
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t index = index_at(indices, i);
      if (index < 0 || index >= shape[0])
        fail<ValueError>("scatter_add: index {} is out of range for shape {}; indices go from 0 to {}", index,
                         to_string(shape), shape[0] - 1);
    }
    std::sort(order, order + count, [&](std::int64_t a, std::int64_t b) {
      const std::int64_t ia = index_at(indices, a);
      const std::int64_t ib = index_at(indices, b);
      return ia != ib ? ia < ib : a < b;
    });
  }

  static void set_touched(const Value& indices, const std::int64_t* order, RowIndex& touched) {
    touched.row.reserve(static_cast<std::size_t>(indices.stored));
    for (std::int64_t i = 0; i < indices.stored; ++i) {
      const auto index = static_cast<Index>(index_at(indices, order[i]));
      if (touched.row.empty() || touched.row.back() != index) touched.row.push_back(index);
    }
  }

  Shape shape_;
};

// d gather(x, i) = dx at rows i: each row of dy is added to the row it was read from
Expr Gather::gradient(const Expr& y, const Expr& dy, int) const {
  return apply(std::make_shared<ScatterAdd>(Shape()), {y.input(1), dy, y.input(0)});
}

class PartOf final : public Op {
 public:
  std::string_view name() const override { return "part_of"; }
  Type infer(const OpInputs& in) const override {
    require_dense(name(), in, 0, "table");
    if (in[1].layout == Layout::csr && in[0].shape[0] == in[1].shape[1])
      return {in[0].dtype, in[0].shape, Layout::part};
    if (in[0].shape != in[1].shape)
      fail<TypeError>("part_of: table is {} but rows is {}; they must agree", in.shape(0), in.shape(1));
    return {in[0].dtype, in[0].shape, Layout::part};
  }
  std::string_view no_gradient(int) const override { return "it only reads variables for an update"; }

  // What a csr matrix touches is known before any gradient is: the rows are gathered once for all uses.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    const Expr of = y.input(1);
    const Expr source = of.layout() == Layout::csr ? facts.columns_source(of) : facts.row_set(of);
    return source.valid() && !same_node(source, of) ? touched_part(y.input(0), source) : Expr();
  }

  int rows_from() const override { return 1; }
  bool looks_up_rows() const override { return true; }
  Strips strips(std::span<const Type>, const Type&) const override { return {Strips::Gives::rows, 0, 0, 1}; }

  void compute(Call& call) const override {
    const Value& of = call.in(1);
    call.set_index(of.type.layout == Layout::csr ? of.pattern->touched().columns : of.index);
    const Value& table = call.in(0);
    const std::span<const Index> rows = call.out().held_rows();
    const std::size_t after = call.out().rows_after();
    const std::size_t bytes = static_cast<std::size_t>(table.row_size()) * size_of(table.type.dtype);
    call.workers().for_each(static_cast<std::int64_t>(rows.size()), rows_at_a_time(bytes),
                            [&](std::int64_t first, std::int64_t last) {
                              const auto begin = static_cast<std::size_t>(first);
                              gather_rows(table.data, rows.subspan(begin, static_cast<std::size_t>(last - first)),
                                          bytes, call.out().data + begin * bytes, after);
                            });
  }
  void launch(DeviceCall& call) const override {
    const Value& of = call.in(1);
    const Value& table = call.in(0);
    const bool csr = of.type.layout == Layout::csr;
    call.set_index(csr ? of.pattern->touched().columns : of.index);
    const Index* rows = csr ? call.pattern(of).touched() : call.held_rows(of);
    gather_rows(call, table.data, rows, call.out().index->count(),
                static_cast<std::size_t>(table.row_size()) * size_of(table.type.dtype), call.out().data);
  }
};

// A part as rows: those that it holds, and zeros elsewhere.
class WithZeros final : public Op {
 public:
  std::string_view name() const override { return "with_zeros"; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[0].shape, Layout::rows}; }
  std::string_view no_gradient(int) const override { return "only plans make it"; }
  bool is_view(std::span<const Type>) const override { return true; }
  int rows_from() const override { return 0; }
};

}  // namespace

Expr gather(const Operand& x, const Operand& indices) {
  return apply(std::make_shared<Gather>(), {without_rows(x), indices});
}

Expr scatter_add(const Operand& indices, const Operand& updates, const Shape& shape) {
  if (!shape.known()) fail<TypeError>("scatter_add: shape is {}; it must be known", to_string(shape));
  return apply(std::make_shared<ScatterAdd>(shape), {indices, updates});
}

Expr part_of(const Operand& table, const Operand& rows) {
  const Expr index = require_expr("part_of", rows, "rows");
  if (index.layout() == Layout::dense) return require_expr("part_of", table, "table");
  if (index.layout() == Layout::csr) fail<TypeError>("part_of: rows is csr ({}); rows is expected", to_string(index));
  return apply(std::make_shared<PartOf>(), {table, rows});
}

Expr touched_part(const Expr& table, const Expr& csr) { return apply(std::make_shared<PartOf>(), {table, csr}); }

Expr with_zeros(const Expr& part) { return apply(std::make_shared<WithZeros>(), {part}); }

Expr assign_add(const Expr& variable, const Operand& delta) {
  const Graph::Pin pin = variable.graph().pin(delta.where());
  return variable.graph().assign(variable, add(variable, delta));
}

}  // namespace gradus
