// gather along another axis than the first: of each of the `outer` blocks before that axis, the slices that the indices
// name, `inner` numbers each. Its gradient adds each slice to the one that it was read from. The first axes may be
// common to x and the indices: then the blocks of each of their places, `together`, have indices of their own.
#include <gradus/core/tensor/table_rows.h>
#include <gradus/ops/add_slices.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/device_rows.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// x [outer..., rows, inner...] as three axes; indices [outer / together, count].
struct Blocks {
  std::int64_t outer, rows, inner, together, count;
  Blocks(const Shape& x, int axis, const Shape& indices, int batch)
      : outer(x.slice(0, axis).size()),
        rows(x[axis]),
        inner(x.slice(axis + 1, x.rank()).size()),
        together(x.slice(batch, axis).size()),
        count(indices.slice(batch, indices.rank()).size()) {}
};

Attributes attributes_of(int axis, int batch) {
  return batch == 0 ? Attributes{{"axis", axis}} : Attributes{{"axis", axis}, {"batch_dims", batch}};
}

class GatherAlong final : public Op {
 public:
  GatherAlong(int axis, int batch) : axis_(axis), batch_(batch) {}
  std::string_view name() const override { return "gather"; }
  Attributes attributes() const override { return attributes_of(axis_, batch_); }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    require_indices(name(), in, 1);
    const Shape &x = in[0].shape, &indices = in[1].shape;
    const int axis = resolve_axis(name(), axis_, in);
    if (batch_ < 0 || batch_ > axis || batch_ > indices.rank())
      fail<TypeError>(
          "gather: batch_dims is {} and axis {}; at most the axes before that one can be common to x {} and indices {}",
          batch_, axis, in.shape(0), in.shape(1));
    if (indices.rank() - batch_ + x.rank() - 1 > Shape::max_rank)
      fail<TypeError>("gather: indices {} of x {} give more than {} dimensions", in.shape(1), in.shape(0),
                      Shape::max_rank);
    Shape shape = x.slice(0, axis);
    for (int i = 0; i < batch_; ++i) {
      if (x[i] != indices[i] && x[i] != any && indices[i] != any)
        fail<TypeError>("gather: x is {} but indices is {}; sizes {} and {} of batch axis {} differ", in.shape(0),
                        in.shape(1), x[i], indices[i], i);
      if (x[i] == any) shape = shape.with(i, indices[i]);
    }
    for (const std::int64_t dim : indices.slice(batch_, indices.rank())) shape = shape.insert(shape.rank(), dim);
    for (const std::int64_t dim : x.slice(axis + 1, x.rank())) shape = shape.insert(shape.rank(), dim);
    return {in[0].dtype, shape, Layout::dense};
  }
  std::string_view no_gradient(int i) const override { return i == 0 ? "" : "indices are integers"; }
  Expr gradient(const Expr& y, const Expr& dy, int) const override;

  Tiles tiles(std::span<const Type> in, const Type& y) const override {
    if (axis_of(in[0].shape) == 0) return {};
    return {Tiles::Gives::rows, batch_ > 0 ? 3U : 1U, y.shape[0]};
  }

  void compute(Call& call) const override {
    const Value& x = call.in(0);
    const Value& indices = call.in(1);
    const Blocks blocks(x.shape(), axis_of(x.shape()), indices.shape(), batch_);
    check_indices(name(), call, 1, indices, blocks.rows);
    const std::size_t bytes = static_cast<std::size_t>(blocks.inner) * size_of(x.type.dtype);
    const std::size_t from = static_cast<std::size_t>(blocks.rows) * bytes;
    const std::size_t to = static_cast<std::size_t>(blocks.count) * bytes;
    by_index_type(indices, [&](const auto* index) {
      call.workers().for_each(blocks.outer, rows_at_a_time(to), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t block = first; block < last; ++block) {
          const auto b = static_cast<std::size_t>(block);
          const std::span named(index + block / blocks.together * blocks.count, static_cast<std::size_t>(blocks.count));
          gather_rows(x.data + b * from, named, bytes, call.out().data + b * to);
        }
      });
    });
  }

  void launch(DeviceCall& call) const override {
    const Value& x = call.in(0);
    const Blocks blocks(x.shape(), axis_of(x.shape()), call.in(1).shape(), batch_);
    if (!call.unchanged(1)) check_indices(name(), call, 1, on_host(call, 1), blocks.rows);
    if (blocks.outer * blocks.count * blocks.inner == 0) return;
    const DType index = call.in(1).type.dtype;
    call.launch({"gather_along", text, fmt::format("{} using I = {};", using_type(x.type.dtype), cuda_name(index))},
                grid_for(blocks.outer * blocks.count * blocks.inner), x.data, call.in(1).data, call.out().data,
                blocks.outer, blocks.rows, blocks.count, blocks.inner, blocks.together);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, const I* index, T* y, gr_int64 outer, gr_int64 rows, gr_int64 count,
                                gr_int64 inner, gr_int64 together) {
  for (gr_int64 i = gr_first(); i < outer * count * inner; i += gr_step()) {
    const gr_int64 slice = i / inner, block = slice / count, place = slice - block * count + block / together * count;
    y[i] = x[(block * rows + gr_int64(index[place])) * inner + (i - slice * inner)];
  }
}
)cuda";

  int axis_of(const Shape& x) const { return axis_ < 0 ? axis_ + x.rank() : axis_; }

  int axis_;
  int batch_;
};

// Inputs: indices, updates, x, which lends its shape.
class ScatterAddAlong final : public Op {
 public:
  ScatterAddAlong(int axis, int batch) : axis_(axis), batch_(batch) {}
  std::string_view name() const override { return "scatter_add"; }
  Attributes attributes() const override { return attributes_of(axis_, batch_); }
  Type infer(const OpInputs& in) const override { return {in[1].dtype, in[2].shape, Layout::dense}; }
  Traits traits() const override { return {.reads = 0b11U}; }
  std::string_view no_gradient(int i) const override { return i == 1 ? "" : "indices are integers"; }
  // d scatter_add(i, u) = the slices of dy at i
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    return gather_along(dy, y.input(0), axis_, batch_);
  }

  Tiles tiles(std::span<const Type>, const Type& y) const override {
    return axis_ > 0 ? Tiles{Tiles::Gives::rows, batch_ > 0 ? 3U : 2U, y.shape[0]} : Tiles{};
  }

  void compute(Call& call) const override {
    const Value& indices = call.in(0);
    const Blocks blocks(call.out().shape(), axis_, indices.shape(), batch_);
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      by_index_type(indices, [&]<class I>(const I* index) {
        const auto add = add_slices<T, I>(blocks.inner);
        const std::int64_t size = blocks.rows * blocks.inner, given = blocks.count * blocks.inner;
        const std::int64_t at_once = rows_at_a_time(static_cast<std::size_t>(size) * sizeof(T));
        call.workers().for_each(blocks.outer, at_once, [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t block = first; block < last; ++block) {
            T* const to = call.out<T>() + block * size;
            std::fill_n(to, size, T{});
            add(call.in<T>(1) + block * given, index + block / blocks.together * blocks.count, blocks.count, 1,
                blocks.inner, to);
          }
        });
      });
    });
  }

  void launch(DeviceCall& call) const override {
    const Blocks blocks(call.out().shape(), axis_, call.in(0).shape(), batch_);
    if (blocks.outer * blocks.rows * blocks.inner == 0) return;
    call.launch({"scatter_add_along", text,
                 fmt::format("{} using I = {};", using_type(call.out().type.dtype), cuda_name(call.in(0).type.dtype))},
                grid_for(blocks.outer * blocks.inner), call.in(0).data, call.in(1).data, call.out().data, blocks.outer,
                blocks.rows, blocks.count, blocks.inner, blocks.together);
  }

 private:
  // A thread for each number of a slice, which adds in the order of the indices.
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const I* index, const T* updates, T* y, gr_int64 outer, gr_int64 rows, gr_int64 count,
                                gr_int64 inner, gr_int64 together) {
  for (gr_int64 i = gr_first(); i < outer * inner; i += gr_step()) {
    const gr_int64 block = i / inner, within = i - block * inner;
    const I* named = index + block / together * count;
    T* to = y + block * rows * inner + within;
    const T* from = updates + block * count * inner + within;
    for (gr_int64 r = 0; r < rows; ++r) to[r * inner] = T(0);
    for (gr_int64 k = 0; k < count; ++k) {
      T& sum = to[gr_int64(named[k]) * inner];
      sum = gr_add(sum, from[k * inner]);
    }
  }
}
)cuda";

  int axis_;  // from 0
  int batch_;
};

Expr GatherAlong::gradient(const Expr& y, const Expr& dy, int) const {
  const Expr x = y.input(0);
  return apply(std::make_shared<ScatterAddAlong>(axis_of(x.shape()), batch_), {y.input(1), dy, x});
}

}  // namespace

Expr gather_along(const Operand& x, const Operand& indices, int axis, int batch_dims) {
  return apply(std::make_shared<GatherAlong>(axis, batch_dims), {x, indices});
}

}  // namespace gradus
