// Broadcasting as an op of its own, and its reverse. broadcast_to and broadcast_like repeat x along axes of size 1
// and new leading ones; sum_like adds up what such a broadcast repeated; fill broadcasts one number. Each is the
// gradient of another.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/reduce_launch.h>
#include <gradus/ops/rules.h>

namespace gradus {

namespace {

// Whether x broadcasts to exactly `shape`, as far as the dimensions are known.
bool broadcasts_to(const Shape& x, const Shape& shape) {
  if (!x.ranked() || !shape.ranked()) return true;
  const int added = shape.rank() - x.rank();
  if (added < 0) return false;
  for (int i = 0; i < x.rank(); ++i) {
    const std::int64_t dim = shape[i + added];
    if (x[i] != 1 && x[i] != any && dim != any && x[i] != dim) return false;
  }
  return true;
}

// On the CPU or an accelerator: Call or DeviceCall.
template <class AnyCall>
void repeat(AnyCall& call) {
  const Shape& x = call.in(0).shape();
  const Shape& y = call.out().shape();
  copy_box(call, Box(y, broadcast_strides(x, y), row_major_strides(y)), call.in(0).data, call.out().data,
           size_of(call.out().type.dtype));
}

class BroadcastTo : public Op {
 public:
  explicit BroadcastTo(const Shape& shape) : shape_(shape) {}

  std::string_view name() const override { return "broadcast_to"; }
  Attributes attributes() const override { return {{"shape", shape_.dims()}}; }

  Type infer(const OpInputs& in) const override {
    // Rows, each repeated along the axes of a row, are rows. (Only rules of plans ask for that.)
    const bool by_rows = shape_.rank() > 0 && in[0].shape.rank() == shape_.rank() && in[0].shape[0] == shape_[0];
    if (holds_rows(in[0]) && by_rows && broadcasts_to(in[0].shape, shape_)) return {in[0].dtype, shape_, in[0].layout};
    require_dense(name(), in);
    if (!shape_.known())
      fail<TypeError>("broadcast_to: {} has unknown dimensions; broadcast_like takes a shape from the run",
                      to_string(shape_));
    if (!broadcasts_to(in[0].shape, shape_))
      fail<TypeError>("broadcast_to: x is {}, which does not broadcast to {}", in.shape(0), to_string(shape_));
    return {in[0].dtype, shape_, Layout::dense};
  }

  Elements elements(std::span<const Type> in) const override { return view_if(in[0].shape == shape_); }
  Traits traits() const override { return {.rows_from = 0}; }

  // dx[i] = sum of dy over the elements that x[i] was repeated to.
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return sum_like(dy, y.input(0)); }

  // Repeating what was repeated is repeating once; to its own shape, nothing.
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    if (y.input(0).type() == y.type()) return y.input(0);
    const Expr inner = is_op(y.input(0), name()) ? y.input(0).input(0) : Expr();
    return inner.valid() ? broadcast_to(inner, y.shape()) : Expr();
  }

  Tiles tiles(std::span<const Type> in, const Type& y) const override {
    if (y.layout != Layout::dense) return {Tiles::Gives::rows, 1};
    if (shape_.rank() == 0) return {};
    const bool sliced = in[0].shape.rank() == shape_.rank() && in[0].shape[0] == shape_[0];
    return {Tiles::Gives::rows, sliced ? 1U : 0U, shape_[0]};
  }

  void compute(Call& call) const override { repeat_rows(call); }
  void launch(DeviceCall& call) const override { repeat_rows(call); }

 private:
  template <class AnyCall>
  void repeat_rows(AnyCall& call) const {
    if (call.out().type.layout == Layout::dense) return repeat(call);
    call.set_index(call.in(0).index);
    const auto rows = static_cast<std::int64_t>(call.out().held_rows().size());
    const Shape from = call.in(0).shape().with(0, rows), stored = shape_.with(0, rows);
    copy_box(call, Box(stored, broadcast_strides(from, stored), row_major_strides(stored)), call.in(0).data,
             call.out().data, size_of(call.out().type.dtype));
  }

  Shape shape_;
};

class BroadcastLike : public Op {
 public:
  std::string_view name() const override { return "broadcast_like"; }
  Traits traits() const override { return {.takes_any_rank = true, .reads = 0b1U}; }
  Elements elements(std::span<const Type> in) const override { return view_if(in[0].shape == in[1].shape); }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    const Shape& like = in[1].shape;
    if (!broadcasts_to(x, like))
      fail<TypeError>("broadcast_like: x is {} but like is {}, to which it does not broadcast", in.shape(0),
                      in.shape(1));
    // Where like is unknown, a size of x above 1 says what it must be.
    Shape shape = like;
    const int added = like.rank() - x.rank();
    for (int i = 0; like.ranked() && i < x.rank(); ++i)
      if (like[i + added] == any && x[i] != 1) shape = shape.with(i + added, x[i]);
    return {in[0].dtype, shape, Layout::dense};
  }

  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    if (y.shape.rank() == 0) return {};
    const bool sliced = in[0].shape.rank() == y.shape.rank() && in[0].shape[0] == y.shape[0];
    return {Tiles::Gives::rows, sliced ? 1U : 0U, y.shape[0]};
  }

  // As broadcast_to.
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return sum_like(dy, y.input(0)); }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its shape is used" : ""; }
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    return y.layout() == Layout::dense ? broadcast_to(y.input(0), y.shape()) : Expr();
  }

  void compute(Call& call) const override { repeat(call); }
  void launch(DeviceCall& call) const override { repeat(call); }
};

class SumLike : public Op {
 public:
  std::string_view name() const override { return "sum_like"; }
  Traits traits() const override { return {.takes_any_rank = true, .reads = 0b1U}; }
  Elements elements(std::span<const Type> in) const override { return view_if(in[0].shape == in[1].shape); }

  Type infer(const OpInputs& in) const override {
    const Shape& x = in[0].shape;
    const Shape& like = in[1].shape;
    if (in[0].dtype == boolean)
      fail<TypeError>("sum_like: x is {}; numbers can be summed, so cast(x, int64) first", in.dtype(0));
    if (!broadcasts_to(like, x))
      fail<TypeError>("sum_like: x is {} but like is {}, which does not broadcast to it", in.shape(0), in.shape(1));
    if (in[0].layout != Layout::dense && !matches_where_known(x, like))
      fail<TypeError>("sum_like: x is {} {} but like is {}; a sparse x keeps its shape, and reduce_sum adds it up",
                      to_string(in[0].layout), in.shape(0), in.shape(1));
    // Where like is unknown, a size of 1 in x says what it must be.
    Shape shape = like;
    const int added = x.rank() - like.rank();
    for (int i = 0; x.ranked() && i < like.rank(); ++i)
      if (like[i] == any && x[i + added] == 1) shape = shape.with(i, 1);
    return {in[0].dtype, shape, in[0].layout};
  }

  // dx[i] = dy at the sum that x[i] was added to.
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return broadcast_like(dy, y.input(0)); }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its shape is used" : ""; }

  // With the shapes known, a sum over axes that are known.
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    const Expr x = y.input(0);
    if (x.type() == y.type()) return x;
    if (x.layout() != Layout::dense) return {};
    std::vector<int> axes;
    for (int axis = 0; axis < x.rank(); ++axis) {
      const int own = axis - (x.rank() - y.rank());
      if (own < 0 || y.shape()[own] != x.shape()[axis]) axes.push_back(axis);
    }
    return reshape(reduce_sum(x, Axes(axes)), y.shape());
  }

  // A sparse x has y's shape, and is a view.
  void compute(Call& call) const override {
    const Shape& x = call.in(0).shape();
    const unsigned summed = summed_axes(x, call.out().shape());
    dispatch_number(call.out().type.dtype,
                    [&]<class T>(TypeTag<T>) { reduce_dense<Sum<T>>(call, call.in<T>(0), x, summed, call.out<T>()); });
  }
  void launch(DeviceCall& call) const override {
    const Shape& x = call.in(0).shape();
    reduce_dense(call, "gr_Sum", call.in(0), x, summed_axes(x, call.out().shape()));
  }

 private:
  static unsigned summed_axes(const Shape& x, const Shape& y) {
    unsigned summed = 0;
    for (int i = 0; i < x.rank(); ++i) {
      const int own = i - (x.rank() - y.rank());
      if (own < 0 || y[own] != x[i]) summed |= 1U << static_cast<unsigned>(i);
    }
    return summed;
  }

  static bool matches_where_known(const Shape& a, const Shape& b) {
    if (a.rank() != b.rank()) return false;
    for (int i = 0; i < a.rank(); ++i)
      if (a[i] != b[i] && a[i] != any && b[i] != any) return false;
    return true;
  }
};

class Fill : public Op {
 public:
  explicit Fill(const Shape& shape) : shape_(shape) {}

  std::string_view name() const override { return "fill"; }
  Attributes attributes() const override { return {{"shape", shape_.dims()}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in, 0, "value");
    if (!shape_.known())
      fail<TypeError>("fill: {} has unknown dimensions; broadcast_like takes a shape from the run", to_string(shape_));
    if (in[0].shape.rank() != 0) fail<TypeError>("fill: value is {}; one number, [], is taken", in.shape(0));
    return {in[0].dtype, shape_, Layout::dense};
  }

  // d value = the sum of dy: y[i] = value for every i.
  Expr gradient(const Expr&, const Expr& dy, int) const override { return reduce_sum(dy); }

  void compute(Call& call) const override { repeat(call); }
  void launch(DeviceCall& call) const override { repeat(call); }

 private:
  Shape shape_;
};

// The same expression where both shapes are known to be equal: nothing to repeat or to add up.
Expr unless_equal(std::shared_ptr<const Op> op, const Operand& x, const Operand& like) {
  const Expr a = x.expr();
  const Expr b = like.expr();
  if (a.valid() && b.valid() && &a.graph() == &b.graph() && a.shape() == b.shape() && a.shape().known()) return a;
  return apply(std::move(op), {x, like});
}

}  // namespace

Expr broadcast_to(const Operand& x, const Shape& shape) { return apply(std::make_shared<BroadcastTo>(shape), {x}); }

Expr broadcast_like(const Operand& x, const Operand& like) {
  return unless_equal(std::make_shared<BroadcastLike>(), x, like);
}

Expr sum_like(const Operand& x, const Operand& like) { return unless_equal(std::make_shared<SumLike>(), x, like); }

Expr fill(const Shape& shape, const Operand& value) { return apply(std::make_shared<Fill>(shape), {value}); }

}  // namespace gradus
