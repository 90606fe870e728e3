// gather_nd: slices of x by indices of its first d axes. These axes made one, an index has one place among their
// elements, and the rest is gather, with its gradient. The op here works the places out and checks each index against
// its own axis.
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// Inputs: indices [..., d], and x, which lends its shape.   int64 [...]
class Places final : public Op {
 public:
  std::string_view name() const override { return "gather_nd"; }
  Traits traits() const override { return {.reads = 0b1U}; }
  std::string_view no_gradient(int) const override { return "indices are integers"; }

  Type infer(const OpInputs& in) const override {
    require_indices(name(), in, 0);
    require_dense(name(), in, 1);
    const Shape& indices = in[0].shape;
    const std::int64_t depth = indices.rank() == 0 ? any : indices[indices.rank() - 1];
    if (depth == any && indices.rank() > 0)
      fail<TypeError>("gather_nd: indices is {}; the size of its last axis must be known when the graph is built",
                      in.shape(0));
    if (depth < 1 || depth > in[1].shape.rank())
      fail<TypeError>(
          "gather_nd: indices is {} and x is {}; the last axis of indices has an index for each of the first axes of x",
          in.shape(0), in.shape(1));
    return {int64, indices.without(indices.rank() - 1), Layout::dense};
  }

  void compute(Call& call) const override {
    check(call, call.in(0), call.in(1).shape());
    const Strides strides = strides_of(call);
    by_index_type(call.in(0), [&](const auto* index) {
      for (std::int64_t i = 0; i < call.out().stored; ++i) {
        std::int64_t place = 0;
        for (int axis = 0; axis < strides.depth; ++axis) place += index[i * strides.depth + axis] * strides.of[axis];
        call.out<std::int64_t>()[i] = place;
      }
    });
  }

  void launch(DeviceCall& call) const override {
    if (!call.unchanged(0)) check(call, on_host(call, 0), call.in(1).shape());
    const std::int64_t n = call.out().stored;
    if (n == 0) return;
    call.launch({"gather_nd", text, fmt::format("using I = {};", cuda_name(call.in(0).type.dtype))}, grid_for(n),
                call.in(0).data, call.out().data, n, strides_of(call));
  }

 private:
  static constexpr std::string_view text = R"cuda(
struct Strides {
  int depth;
  gr_int64 of[8];
};
extern "C" __global__ void NAME(const I* index, gr_int64* y, gr_int64 n, Strides strides) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {
    gr_int64 place = 0;
    for (int axis = 0; axis < strides.depth; ++axis)
      place += gr_int64(index[i * strides.depth + axis]) * strides.of[axis];
    y[i] = place;
  }
}
)cuda";

  struct Strides {
    int depth = 0;
    std::int64_t of[Shape::max_rank] = {};
  };

  // Of the first axes of x made one.
  template <class AnyCall>  // Call or DeviceCall
  static Strides strides_of(const AnyCall& call) {
    const Shape& indices = call.in(0).shape();
    Strides strides{static_cast<int>(indices[indices.rank() - 1]), {}};
    std::int64_t stride = 1;
    for (int axis = strides.depth - 1; axis >= 0; --axis) {
      strides.of[axis] = stride;
      stride *= call.in(1).shape()[axis];
    }
    return strides;
  }

  // `indices` are the call's, on the host.
  template <class AnyCall>
  void check(const AnyCall& call, const Value& indices, const Shape& x) const {
    by_index_type(indices, [&](const auto* index) {
      const std::int64_t depth = indices.shape()[indices.shape().rank() - 1];
      for (std::int64_t i = 0; i < indices.stored; ++i) {
        const auto axis = static_cast<int>(i % depth);
        if (index[i] >= 0 && index[i] < x[axis]) continue;
        fail<ValueError>("gather_nd: index {} in {} is out of range for axis {} of x {}, which is {}", index[i],
                         call.source(0), axis, call.source(1), to_string(x));
      }
    });
  }
};

}  // namespace

Expr gather_nd(const Operand& x, const Operand& indices) {
  const Expr given = require_expr("gather_nd", x);
  const Graph::Pin pin = given.graph().pin(x.where());
  const Expr table = given.layout() == Layout::rows ? to_dense(given) : given;
  const Expr places = apply(std::make_shared<Places>(), {indices, Operand(table, x.where())});
  const Expr index = places.input(0);
  const auto depth = static_cast<int>(index.shape()[index.rank() - 1]);
  if (depth == 1) return gather(table, squeeze(index, -1));
  const Shape first = table.shape().slice(0, depth);
  Shape shape = table.shape().slice(depth, table.rank());
  if (!shape.known() && !first.known())
    fail<TypeError>(
        "gather_nd: x is {}; sizes that only the run knows may stand among its first {} axes, or after them, not both",
        (*Given({table})).shape(0), depth);
  if (std::ranges::count(shape, any) > 1)
    fail<TypeError>("gather_nd: x is {}; after its first {} axes one size may be unknown, not more",
                    (*Given({table})).shape(0), depth);
  return gather(reshape(table, shape.insert(0, first.known() ? first.size() : any)), places);
}

}  // namespace gradus
