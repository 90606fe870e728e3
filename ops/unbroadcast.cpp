#include <gradus/ops/unbroadcast.h>

#include <gradus/ops/box.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>
#include <gradus/ops/reduce_launch.h>
#include <gradus/ops/sparse.h>

namespace gradus {

namespace {

struct Undoing {
  unsigned summed = 0;  // axes of g
  double factor = 1;    // for the axes that g does not even spell out
};

// Dimension `axis` of a shape of rank `rank` to which `shape` broadcasts.
std::int64_t aligned(const Shape& shape, int axis, int rank) {
  const int own = axis - (rank - shape.rank());
  return own < 0 ? 1 : shape[own];
}

// From concrete shapes.
Undoing undoing(const Shape& g, const Shape& x, const Shape& node) {
  Undoing u;
  const int rank = node.rank();
  for (int axis = 0; axis < rank; ++axis) {
    if (aligned(x, axis, rank) != 1 || node[axis] == 1) continue;
    if (aligned(g, axis, rank) == 1) {
      u.factor *= static_cast<double>(node[axis]);
    } else {
      u.summed |= 1U << static_cast<unsigned>(axis - (rank - g.rank()));
    }
  }
  return u;
}

// The number of times each element of g stands for: the part of the sum that is a multiplication.
class UnbroadcastFactor final : public Op {
 public:
  std::string_view name() const override { return "unbroadcast_factor"; }
  Traits traits() const override { return {.takes_any_rank = true, .reads = 0}; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, {}, Layout::dense}; }
  std::string_view no_gradient(int) const override { return "it depends on shapes alone"; }
  void compute(Call& call) const override {
    const double factor = undoing(call.in(0).shape(), call.in(1).shape(), call.in(2).shape()).factor;
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) { *call.out<T>() = static_cast<T>(factor); });
  }
  void launch(DeviceCall& call) const override {
    const double factor = undoing(call.in(0).shape(), call.in(1).shape(), call.in(2).shape()).factor;
    fill(call, call.out().data, call.out().type.dtype, 1, factor);
  }
};

class Unbroadcast final : public Op {
 public:
  std::string_view name() const override { return "unbroadcast"; }
  Traits traits() const override { return {.takes_any_rank = true, .reads = 0b1U}; }

  Type infer(const OpInputs& in) const override {
    Shape shape = in[1].shape;
    if (!in[0].shape.ranked() || !in[2].shape.ranked()) {
      for (int axis = 0; axis < shape.rank(); ++axis)
        if (shape[axis] != 1) shape = shape.with(axis, any);
      return {in[0].dtype, shape, in[0].layout};
    }
    const int shift = in[2].shape.rank() - shape.rank();
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const std::int64_t mine = aligned(in[0].shape, axis + shift, in[2].shape.rank());
      if (shape[axis] != 1 && (mine == 1 || shape[axis] != any)) shape = shape.with(axis, mine);
    }
    return {in[0].dtype, shape, in[0].layout};
  }

  Elements elements(std::span<const Type> in) const override {
    const Undoing u = undoing(in[0].shape, in[1].shape, in[2].shape);
    return view_if(u.summed == 0 && u.factor == 1);
  }

  // The sum is linear: every element of g counts `factor` times in the element of dx it went into.
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    const Expr factor = apply(std::make_shared<UnbroadcastFactor>(), {y.input(0), y.input(1), y.input(2)});
    return broadcast_like(dy * factor, y.input(0));
  }

  // With the shapes known, a sum and a multiplication.
  Expr simplified(const Expr& y, const DraftFacts&) const override {
    if (y.layout() != Layout::dense) return {};
    const Undoing u = undoing(y.input(0).shape(), y.input(1).shape(), y.input(2).shape());
    std::vector<int> axes;
    for (int axis = 0; axis < y.input(0).rank(); ++axis)
      if ((u.summed >> static_cast<unsigned>(axis)) & 1U) axes.push_back(axis);
    Expr sum = y.input(0);
    if (!axes.empty()) sum = reduce_sum(sum, Axes(axes));
    if (u.factor != 1) sum = u.factor * sum;
    return reshape(sum, y.shape());
  }

  void compute(Call& call) const override {
    const Undoing u = undoing(call.in(0).shape(), call.in(1).shape(), call.in(2).shape());
    dispatch_floating(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      reduce_dense<Sum<T>>(call, call.in<T>(0), call.in(0).shape(), u.summed, call.out<T>(), u.factor);
    });
  }
  void launch(DeviceCall& call) const override {
    const Undoing u = undoing(call.in(0).shape(), call.in(1).shape(), call.in(2).shape());
    reduce_dense(call, "gr_Sum", call.in(0), call.in(0).shape(), u.summed, u.factor);
  }
};

}  // namespace

Expr unbroadcast(const Expr& g, const Expr& x, const Expr& node) {
  if (g.layout() == Layout::csr) return x.layout() == Layout::csr ? g : sum_csr_like(g, x);
  if (x.shape() == node.shape() && node.shape().known()) return g;
  if (g.layout() == Layout::rows && g.shape() == x.shape()) return g;
  return apply(std::make_shared<Unbroadcast>(), {g.layout() == Layout::rows ? to_dense(g) : g, x, node});
}

}  // namespace gradus
