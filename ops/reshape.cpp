// Views: the same numbers in the same order under another shape, which a run makes without moving any. reshape
// and reshape_like take a shape, expand_dims and squeeze add and drop axes of size 1. The gradient of each is dy
// under the shape of x.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/rules.h>

#include <algorithm>

namespace gradus {

namespace {

// dx[j] = dy[j]: element number j of x is element number j of y.
Expr in_shape_of(const Expr& x, const Expr& dy) {
  return x.shape().known() ? reshape(dy, x.shape()) : reshape_like(dy, x);
}

// The product of the dimensions that are known.
std::int64_t known_size(const Shape& shape) {
  std::int64_t size = 1;
  for (const std::int64_t dim : shape)
    if (dim != any) size *= dim;
  return size;
}

class Reshape : public Op {
 public:
  explicit Reshape(const Shape& shape) : shape_(shape) {}

  std::string_view name() const override { return "reshape"; }
  Traits traits() const override { return {.takes_any_rank = true, .rows_from = 0}; }
  Attributes attributes() const override { return {{"shape", shape_.dims()}}; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }

  Type infer(const OpInputs& in) const override {
    if (holds_rows(in[0]) && in[0].shape.known())
      if (const Shape shape = filled(in[0].shape); keeps_rows(in[0].shape, shape))
        return {in[0].dtype, shape, in[0].layout};
    require_dense(name(), in);
    const auto open = std::count(shape_.begin(), shape_.end(), any);
    if (open > 1)
      fail<TypeError>("reshape: x is {}; {} leaves {} dimensions open, and only one can be worked out", in.shape(0),
                      to_string(shape_), open);
    const std::int64_t fixed = known_size(shape_);
    const std::int64_t elements = known_size(in[0].shape);
    if (in[0].shape.known()) {
      if (open == 0 ? elements != fixed : fixed == 0 || elements % fixed != 0)
        fail<TypeError>("reshape: x is {}; {} elements do not fit {}", in.shape(0), elements, to_string(shape_));
      if (open == 0) return {in[0].dtype, shape_, Layout::dense};
      const auto axis = std::find(shape_.begin(), shape_.end(), any) - shape_.begin();
      return {in[0].dtype, shape_.with(static_cast<int>(axis), elements / fixed), Layout::dense};
    }
    if (open == 0 && elements > 0 && fixed % elements != 0)
      fail<TypeError>("reshape: x is {}; no multiple of {} elements fits {}", in.shape(0), elements, to_string(shape_));
    return {in[0].dtype, shape_, Layout::dense};
  }

  Expr gradient(const Expr& y, const Expr& dy, int) const override { return in_shape_of(y.input(0), dy); }

  // Of several reshapes the last counts. Two that undo each other around an elementwise op need not be:
  // reshape(f(reshape(x), c)) = f(x, c) for an x of y's shape and a number c.
  Expr simplified(const Expr& y, const DraftFacts& facts) const override {
    const Expr x = y.input(0);
    if (x.type() == y.type()) return x;
    if (is_op(x, name())) return reshape(x.input(0), y.shape());
    if (!is_elementwise(x) || facts.readers(x) > 1 || x.layout() != Layout::dense) return {};
    std::vector<Expr> inputs;
    for (int i = 0; i < x.arity(); ++i) {
      const Expr input = x.input(i);
      const bool turns_back = is_op(input, name()) && input.input(0).shape() == y.shape();
      if (!turns_back && input.rank() > 0) return {};
      inputs.push_back(turns_back ? input.input(0) : input);
    }
    return x.graph().copy(x, inputs);
  }

 private:
  // The result's shape, an open dimension worked out of x's size where one divides the other.
  Shape filled(const Shape& x) const {
    const std::int64_t fixed = known_size(shape_);
    const auto open = std::find(shape_.begin(), shape_.end(), any);
    return open == shape_.end() || fixed == 0 ? shape_
                                              : shape_.with(static_cast<int>(open - shape_.begin()), x.size() / fixed);
  }
  // [p, 1] to [p]: a rows value stays one. (Only rules of plans ask for that.)
  static bool keeps_rows(const Shape& x, const Shape& y) {
    return y.known() && y.rank() > 0 && y[0] == x[0] && y.size() == x.size();
  }

  Shape shape_;
};

class ReshapeLike : public Op {
 public:
  std::string_view name() const override { return "reshape_like"; }
  Traits traits() const override { return {.takes_any_rank = true, .reads = 0b1U}; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    const Shape& like = in[1].shape;
    if (x.known() && like.known() && x.size() != like.size())
      fail<TypeError>("reshape_like: x is {} but like is {}; {} elements do not fit {}", in.shape(0), in.shape(1),
                      x.size(), to_string(like));
    return {in[0].dtype, like, Layout::dense};
  }

  Expr gradient(const Expr& y, const Expr& dy, int) const override { return in_shape_of(y.input(0), dy); }
  Expr simplified(const Expr& y, const DraftFacts&) const override { return reshape(y.input(0), y.shape()); }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its shape is used" : ""; }
};

class ExpandDims : public Op {
 public:
  explicit ExpandDims(int axis) : axis_(axis) {}

  std::string_view name() const override { return "expand_dims"; }
  Attributes attributes() const override { return {{"axis", axis_}}; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const int rank = in[0].shape.rank();
    if (axis_ < -rank - 1 || axis_ > rank)
      fail<TypeError>("expand_dims: no axis {} can be added; x is {} and takes a new one at {} to {}", axis_,
                      in.shape(0), -rank - 1, rank);
    return {in[0].dtype, in[0].shape.insert(axis_ < 0 ? axis_ + rank + 1 : axis_, 1), Layout::dense};
  }

  Expr gradient(const Expr& y, const Expr& dy, int) const override { return in_shape_of(y.input(0), dy); }
  Expr simplified(const Expr& y, const DraftFacts&) const override { return reshape(y.input(0), y.shape()); }

 private:
  int axis_;
};

class Squeeze : public Op {
 public:
  explicit Squeeze(const Axes& axes) : axes_(axes) {}

  std::string_view name() const override { return "squeeze"; }
  Elements elements(std::span<const Type>) const override { return Elements::kept; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    if (!axes_.given() && !x.known())
      fail<TypeError>("squeeze: x is {}; name the axes to drop, since an unknown dimension may be 1 in one run only",
                      in.shape(0));
    std::vector<int> dropped = axes_.resolve(name(), x.rank());
    if (!axes_.given()) std::erase_if(dropped, [&](int axis) { return x[axis] != 1; });
    std::vector<std::int64_t> kept;
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (std::find(dropped.begin(), dropped.end(), axis) == dropped.end()) {
        kept.push_back(x[axis]);
      } else if (x[axis] != 1 && x[axis] != any) {
        fail<TypeError>("squeeze: axis {} cannot go; x is {} and only axes of size 1 can", axis, in.shape(0));
      }
    }
    return {in[0].dtype, Shape(kept), Layout::dense};
  }

  Expr gradient(const Expr& y, const Expr& dy, int) const override { return in_shape_of(y.input(0), dy); }
  Expr simplified(const Expr& y, const DraftFacts&) const override { return reshape(y.input(0), y.shape()); }

 private:
  Axes axes_;
};

}  // namespace

Expr reshape(const Operand& x, const Shape& shape) { return apply(std::make_shared<Reshape>(shape), {x}); }

Expr reshape_like(const Operand& x, const Operand& like) { return apply(std::make_shared<ReshapeLike>(), {x, like}); }

Expr expand_dims(const Operand& x, int axis) { return apply(std::make_shared<ExpandDims>(axis), {x}); }

Expr squeeze(const Operand& x, const Axes& axes) { return apply(std::make_shared<Squeeze>(axes), {x}); }

}  // namespace gradus
