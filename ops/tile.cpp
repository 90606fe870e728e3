// tile: x repeated along each axis. y[m * n + i] = x[i] for each copy m of an axis of size n.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/listed.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/reduce_launch.h>

namespace gradus {

namespace {

using Counts = std::vector<std::int64_t>;

Expr sum_copies(const Expr& dy, int axis, std::int64_t multiple);

class Tile : public Op {
 public:
  explicit Tile(Counts multiples) : multiples_(std::move(multiples)) {}

  std::string_view name() const override { return "tile"; }
  Attributes attributes() const override { return {{"multiples", multiples_}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    if (multiples_.size() != static_cast<std::size_t>(x.rank()))
      fail<TypeError>("tile: multiples [{}] name {} axes; x is {} with {}", listed(multiples_), multiples_.size(),
                      in.shape(0), x.rank());
    Counts dims;
    for (int i = 0; i < x.rank(); ++i) {
      const std::int64_t multiple = multiples_[static_cast<std::size_t>(i)];
      std::int64_t dim = 0;
      if (multiple < 0 || __builtin_mul_overflow(x[i], multiple, &dim))
        fail<TypeError>("tile: x is {}; multiple {} of axis {} is not a count that fits", in.shape(0), multiple, i);
      dims.push_back(x[i] == any ? any : dim);
    }
    return {in[0].dtype, Shape(dims), Layout::dense};
  }

  // dx[i] = sum over the copies m of dy[m * n + i], one axis after another.
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    Expr dx = dy;
    for (std::size_t axis = multiples_.size(); axis-- > 0;) {
      if (multiples_[axis] == 0) return zeros_like(y.input(0));
      if (multiples_[axis] > 1) dx = sum_copies(dx, static_cast<int>(axis), multiples_[axis]);
    }
    return dx;
  }

  void compute(Call& call) const override { repeat(call); }
  void launch(DeviceCall& call) const override { repeat(call); }

 private:
  // Each axis of y is two: which copy, and where in it. All copies are read from the same place.
  template <class AnyCall>
  void repeat(AnyCall& call) const {
    const Shape& x = call.in(0).shape();
    const auto from = row_major_strides(x);
    const auto to = row_major_strides(call.out().shape());
    Box box;
    for (int i = 0; i < x.rank(); ++i) {
      const auto axis = static_cast<std::size_t>(i);
      box.add(multiples_[axis], 0, to[axis] * x[i]);
      box.add(x[i], from[axis], to[axis]);
    }
    copy_box(call, box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
  }

  Counts multiples_;
};

// The sum of the `multiple` copies (at least one) that lie one after another along an axis.
class SumCopies : public Op {
 public:
  SumCopies(int axis, std::int64_t multiple) : axis_(axis), multiple_(multiple) {}

  std::string_view name() const override { return "sum_copies"; }
  Attributes attributes() const override { return {{"axis", axis_}, {"multiple", multiple_}}; }

  Type infer(const OpInputs& in) const override {
    const std::int64_t dim = in[0].shape[axis_];
    return {in[0].dtype, in[0].shape.with(axis_, dim == any ? any : dim / multiple_), Layout::dense};
  }

  // d dy[m * n + i] = the gradient of sum i, for each copy m.
  Expr gradient(const Expr&, const Expr& dy, int) const override {
    Counts multiples(static_cast<std::size_t>(dy.rank()), 1);
    multiples[static_cast<std::size_t>(axis_)] = multiple_;
    return tile(dy, multiples);
  }

  void compute(Call& call) const override {
    const Shape shape = copies(call.in(0).shape(), call.out().shape());
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      reduce_dense<Sum<T>>(call, call.in<T>(0), shape, 0b010, call.out<T>());
    });
  }
  void launch(DeviceCall& call) const override {
    reduce_dense(call, "gr_Sum", call.in(0), copies(call.in(0).shape(), call.out().shape()), 0b010);
  }

 private:
  // The copies as an axis of their own, between those before and after it.
  Shape copies(const Shape& x, const Shape& y) const {
    return {x.slice(0, axis_).size(), multiple_, y.slice(axis_, x.rank()).size()};
  }

  int axis_;
  std::int64_t multiple_;
};

Expr sum_copies(const Expr& dy, int axis, std::int64_t multiple) {
  return apply(std::make_shared<SumCopies>(axis, multiple), {dy});
}

}  // namespace

Expr tile(const Operand& x, const std::vector<std::int64_t>& multiples) {
  return apply(std::make_shared<Tile>(multiples), {x});
}

}  // namespace gradus
