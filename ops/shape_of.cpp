// Ops that look at the shape of x and at none of its numbers: shape_of and size_of give it as numbers, zeros_like
// and ones_like fill it; and range, a constant. None has a gradient: no number of x moves the result.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradus {

namespace {

class OfShape : public Op {
 public:
  Traits traits() const override { return {.takes_any_rank = true, .reads = 0}; }
  std::string_view no_gradient(int) const override { return "only its shape is used"; }
};

class ShapeOf : public OfShape {
 public:
  std::string_view name() const override { return "shape_of"; }
  Type infer(const OpInputs& in) const override {
    return {int64, {in[0].shape.ranked() ? in[0].shape.rank() : any}, Layout::dense};
  }
  void compute(Call& call) const override {
    std::copy(call.in(0).shape().begin(), call.in(0).shape().end(), call.out<std::int64_t>());
  }
  // The numbers are an argument of the kernel: nothing is uploaded, so that a plan may be recorded.
  void launch(DeviceCall& call) const override {
    struct {
      std::int64_t size[Shape::max_rank] = {};
    } shape;
    const int rank = call.in(0).shape().rank();
    std::copy(call.in(0).shape().begin(), call.in(0).shape().end(), shape.size);
    call.launch({"shape_of", text}, Grid{rank > 0 ? 1 : 0, 32}, call.out().data, shape, rank);
  }

 private:
  static constexpr std::string_view text = R"cuda(
struct Shape { gr_int64 size[8]; };
extern "C" __global__ void NAME(gr_int64* y, Shape shape, int rank) {
  if (threadIdx.x < rank) y[threadIdx.x] = shape.size[threadIdx.x];
}
)cuda";
};

class SizeOf : public OfShape {
 public:
  std::string_view name() const override { return "size_of"; }
  Type infer(const OpInputs&) const override { return {int64, {}, Layout::dense}; }
  void compute(Call& call) const override { *call.out<std::int64_t>() = call.in(0).shape().size(); }
  void launch(DeviceCall& call) const override {
    call.launch({"size_of", text}, Grid{1, 32}, call.out().data, call.in(0).shape().size());
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(gr_int64* y, gr_int64 size) {
  if (threadIdx.x == 0) *y = size;
}
)cuda";
};

class ZerosLike : public OfShape {
 public:
  std::string_view name() const override { return "zeros_like"; }

  // Sparse zeros hold nothing; all of a part would have to be written, so it becomes rows.
  Type infer(const OpInputs& in) const override {
    return {in[0].dtype, in[0].shape, in[0].layout == Layout::part ? Layout::rows : in[0].layout};
  }

  Tiles by_rows(std::span<const Type>, const Type& y) const override {
    return y.shape.rank() == 0 ? Tiles{} : Tiles{Tiles::Gives::rows, 0, y.shape[0]};
  }

  void compute(Call& call) const override {
    const auto bytes = static_cast<std::size_t>(call.out().shape().size()) * size_of(call.out().type.dtype);
    if (!hold_nothing(call) && bytes > 0) std::memset(call.out().data, 0, bytes);
  }
  void launch(DeviceCall& call) const override {
    const std::int64_t size = call.out().shape().size();
    if (!hold_nothing(call)) fill(call, call.out().data, call.out().type.dtype, size, 0);
  }

 private:
  // Makes a sparse output one that stores nothing.
  template <class AnyCall>
  static bool hold_nothing(AnyCall& call) {
    const Shape& shape = call.out().shape();
    if (call.out().type.layout == Layout::dense) return false;
    if (call.out().type.layout == Layout::csr) {
      auto pattern = std::make_shared<CsrPattern>();
      pattern->rows = shape[0];
      pattern->columns = shape[1];
      pattern->row_start.assign(static_cast<std::size_t>(shape[0]) + 1, 0);
      call.set_pattern(std::move(pattern));
    } else {
      call.set_index(std::make_shared<RowIndex>());
    }
    return true;
  }
};

class OnesLike : public OfShape {
 public:
  std::string_view name() const override { return "ones_like"; }
  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    return in[0];
  }
  // As one number, which elementwise ops repeat for nothing.
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    return broadcast_to(y.graph().constant(full({}, 1, y.dtype()), "1"), y.shape());
  }
  void compute(Call& call) const override {
    dispatch(call.out().type.dtype,
             [&]<class T>(TypeTag<T>) { std::fill_n(call.out<T>(), call.out().shape().size(), static_cast<T>(1)); });
  }
  void launch(DeviceCall& call) const override {
    fill(call, call.out().data, call.out().type.dtype, call.out().shape().size(), 1);
  }
};

}  // namespace

Expr shape_of(const Operand& x) { return apply(std::make_shared<ShapeOf>(), {x}); }

Expr size_of(const Operand& x) { return apply(std::make_shared<SizeOf>(), {x}); }

Expr zeros_like(const Operand& x) { return apply(std::make_shared<ZerosLike>(), {x}); }

Expr ones_like(const Operand& x) { return apply(std::make_shared<OnesLike>(), {x}); }

Expr range(Graph& graph, const Number& start, const Number& limit, const Number& delta, DType dtype, Location where) {
  if (!std::isfinite(start.value()) || !std::isfinite(limit.value()) || !std::isfinite(delta.value()) ||
      delta.value() == 0)
    fail<ValueError>("range: start {}, limit {}, delta {}; all must be finite, and delta not 0", to_string(start),
                     to_string(limit), to_string(delta));
  return graph.constant(arange(start, limit, delta, dtype), "range", where);
}

}  // namespace gradus
