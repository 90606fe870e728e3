// concat: tensors end to end along one axis. stack and split are built from it and from slice. The gradient of one
// value is its stretch of dy.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

namespace gradus {

namespace {

std::string value_name(int i) { return fmt::format("value {}", i); }

// Throws unless value i has value 0's dtype and, but for `axis` (-1: none), its dimensions.
void check_alike(std::string_view op, const OpInputs& in, int i, int axis) {
  if (in[i].dtype != in[0].dtype)
    fail<TypeError>("{}: value {} is {} but value 0 is {}; dtypes differ", op, i, in.dtype(i), in.dtype(0));
  if (in[i].shape.rank() != in[0].shape.rank())
    fail<TypeError>("{}: value {} is {} but value 0 is {}; ranks differ", op, i, in.shape(i), in.shape(0));
  for (int j = 0; j < in[0].shape.rank(); ++j) {
    const std::int64_t dim = in[i].shape[j];
    const std::int64_t first = in[0].shape[j];
    if (j != axis && dim != first && dim != any && first != any)
      fail<TypeError>("{}: value {} is {} but value 0 is {}; sizes {} and {} of axis {} differ", op, i, in.shape(i),
                      in.shape(0), dim, first, j);
  }
}

Expr concat_part(const Expr& dy, const Expr& y, int axis, int i);

class Concat : public Op {
 public:
  explicit Concat(int axis) : axis_(axis) {}

  std::string_view name() const override { return "concat"; }
  Attributes attributes() const override { return {{"axis", axis_}}; }

  Type infer(const OpInputs& in) const override {
    for (int i = 0; i < in.count(); ++i) require_dense(name(), in, i, value_name(i));
    const int axis = resolve_axis(name(), axis_, in, 0, "value 0");
    Shape shape = in[0].shape;
    for (int i = 1; i < in.count(); ++i) {
      check_alike(name(), in, i, axis);
      for (int j = 0; j < shape.rank(); ++j)
        if (j != axis && shape[j] == any) shape = shape.with(j, in[i].shape[j]);
      const std::int64_t more = in[i].shape[axis];
      shape = shape.with(axis, shape[axis] == any || more == any ? any : shape[axis] + more);
    }
    return {in[0].dtype, shape, Layout::dense};
  }

  // d value i = its stretch of dy, which begins where the values before it end.
  Expr gradient(const Expr& y, const Expr& dy, int i) const override {
    const int axis = resolve_axis(name(), axis_, dy.rank());
    const auto at = static_cast<std::size_t>(axis);
    std::vector<std::int64_t> begin(static_cast<std::size_t>(dy.rank()), 0);
    std::vector<std::int64_t> size(static_cast<std::size_t>(dy.rank()), -1);
    for (int j = 0; j <= i; ++j) {
      const std::int64_t dim = y.input(j).shape()[axis];
      if (dim == any) return concat_part(dy, y, axis, i);
      begin[at] += j < i ? dim : 0;
      size[at] = dim;
    }
    return slice(dy, begin, size);
  }

  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    if (resolve_axis(name(), axis_, y.shape.rank()) == 0) return {};
    return {Tiles::Gives::rows, ~(~0U << in.size()), y.shape[0]};
  }

  void compute(Call& call) const override { join(call); }
  void launch(DeviceCall& call) const override { join(call); }

 private:
  template <class AnyCall>
  void join(AnyCall& call) const {
    const Shape& whole = call.out().shape();
    const int axis = resolve_axis(name(), axis_, whole.rank());
    const auto strides = row_major_strides(whole);
    std::int64_t begin = 0;
    for (int i = 0; i < call.arity(); ++i) {
      const Shape& shape = call.in(i).shape();
      Box box(shape, row_major_strides(shape), strides);
      box.to = begin * strides[static_cast<std::size_t>(axis)];
      copy_box(call, box, call.in(i).data, call.out().data, size_of(call.out().type.dtype));
      begin += shape[axis];
    }
  }

  int axis_;
};

// The stretch of dy (input 0) that belongs to value i of a concat, whose values (inputs 1 on) lend their shapes:
// the gradient where the sizes before it are known only in a run.
class ConcatPart : public Op {
 public:
  ConcatPart(int axis, int i) : axis_(axis), i_(i) {}

  std::string_view name() const override { return "concat_part"; }
  Attributes attributes() const override { return {{"axis", axis_}, {"value", i_}}; }
  Traits traits() const override { return {.reads = 0b1U}; }

  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[i_ + 1].shape, Layout::dense}; }

  // d dy = the stretch between zeros for the other values.
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    std::vector<Expr> values;
    for (int j = 0; j + 1 < y.arity(); ++j) values.push_back(j == i_ ? dy : zeros_like(y.input(j + 1)));
    return concat(values, axis_, y.where());
  }
  std::string_view no_gradient(int i) const override { return i > 0 ? "only its shape is used" : ""; }

  Tiles by_rows(std::span<const Type>, const Type& y) const override {
    return axis_ == 0 ? Tiles{} : Tiles{Tiles::Gives::rows, 1, y.shape[0]};
  }

  void compute(Call& call) const override { cut(call); }
  void launch(DeviceCall& call) const override { cut(call); }

 private:
  template <class AnyCall>
  void cut(AnyCall& call) const {
    std::int64_t begin = 0;
    for (int j = 0; j < i_; ++j) begin += call.in(j + 1).shape()[axis_];
    const Shape& shape = call.out().shape();
    const auto strides = row_major_strides(call.in(0).shape());
    Box box(shape, strides, row_major_strides(shape));
    box.from = begin * strides[static_cast<std::size_t>(axis_)];
    copy_box(call, box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
  }

  int axis_;
  int i_;
};

Expr concat_part(const Expr& dy, const Expr& y, int axis, int i) {
  std::vector<Operand> inputs{Operand(dy, y.where())};
  for (int j = 0; j < y.arity(); ++j) inputs.emplace_back(y.input(j), y.where());
  return gradus::apply(std::make_shared<ConcatPart>(axis, i), inputs);
}

}  // namespace

Expr concat(std::span<const Expr> values, int axis, Location where) {
  if (values.empty()) fail<TypeError>("concat: no values ({}); at least one is needed", to_string(where));
  std::vector<Operand> inputs;
  for (const Expr& value : values) inputs.emplace_back(value, where);
  return gradus::apply(std::make_shared<Concat>(axis), inputs);
}

Expr stack(std::span<const Expr> values, int axis, Location where) {
  if (values.empty()) fail<TypeError>("stack: no values ({}); at least one is needed", to_string(where));
  std::vector<Type> types;
  for (const Expr& value : values) types.push_back(value.type());
  const OpInputs in(types, values);
  for (int i = 0; i < in.count(); ++i) {
    require_dense("stack", in, i, value_name(i));
    check_alike("stack", in, i, -1);
  }
  const int place = resolve_axis("stack", axis, values[0].rank() + 1);
  std::vector<Expr> blocks;
  for (const Expr& value : values) blocks.push_back(expand_dims(Operand(value, where), place));
  return concat(blocks, place, where);
}

std::vector<Expr> split(const Operand& x, int count, int axis) {
  const Expr whole = require_expr("split", x);
  const std::span<const Expr> inputs(&whole, 1);
  const Type type = whole.type();
  const OpInputs in(std::span(&type, 1), inputs);
  const int place = resolve_axis("split", axis, in);
  const std::int64_t dim = type.shape[place];
  if (count < 1)
    fail<ValueError>("split: {} parts are asked of x, which is {}; at least 1 is right", count, in.shape(0));
  if (dim == any) fail<TypeError>("split: x is {}; axis {} must be known when the graph is built", in.shape(0), place);
  if (dim % count != 0)
    fail<TypeError>("split: x is {}; {} parts do not divide axis {} evenly", in.shape(0), count, place);
  std::vector<std::int64_t> begin(static_cast<std::size_t>(whole.rank()), 0);
  std::vector<std::int64_t> size(static_cast<std::size_t>(whole.rank()), -1);
  size[static_cast<std::size_t>(place)] = dim / count;
  std::vector<Expr> parts;
  for (int part = 0; part < count; ++part) {
    begin[static_cast<std::size_t>(place)] = part * (dim / count);
    parts.push_back(slice(x, begin, size));
  }
  return parts;
}

}  // namespace gradus
