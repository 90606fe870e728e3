// at and strided_slice: a range of each axis, perhaps in steps and backwards; and what sets a part into zeros, its
// gradient, whose gradient is the part again. A range is resolved when the dimension is known, as Python does:
// begin + i step for 0 <= i < n. Where all are known and all steps 1, it is a slice. unstack, reverse and roll are
// made of it.
#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/ops/axes.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/ranges.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace gradus {

namespace {

// A range of an axis whose dimension is known: `count` elements from `begin` on.
struct Resolved {
  std::int64_t begin, count, step;
};

// None for an index that is out of range.
std::optional<Resolved> resolve(const AxisRange& range, std::int64_t dim) {
  const std::int64_t least = range.step > 0 ? 0 : -1;  // before the first element where it goes backwards
  const std::int64_t greatest = range.step > 0 ? dim : dim - 1;
  const auto place = [&](const Slice::Bound& bound, std::int64_t open) {
    if (!bound) return open;
    return std::clamp(*bound < 0 ? *bound + dim : *bound, least, greatest);
  };
  if (range.is_index) {
    const std::int64_t index = *range.begin < 0 ? *range.begin + dim : *range.begin;
    if (index < 0 || index >= dim) return std::nullopt;
    return Resolved{index, 1, 1};
  }
  const std::int64_t begin = place(range.begin, range.step > 0 ? least : greatest);
  const std::int64_t end = place(range.end, range.step > 0 ? greatest : least);
  const std::int64_t length = range.step > 0 ? end - begin : begin - end;
  if (length <= 0) return Resolved{0, 0, 1};
  // In unsigned numbers, which the negative of the least one fits.
  const std::uint64_t step = range.step > 0 ? static_cast<std::uint64_t>(range.step)
                                            : std::uint64_t{0} - static_cast<std::uint64_t>(range.step);
  const auto count = static_cast<std::int64_t>((static_cast<std::uint64_t>(length) - 1) / step) + 1;
  return Resolved{begin, count, count > 1 ? range.step : 1};
}

std::string bound_text(const Slice::Bound& bound) { return bound ? fmt::format("{}", *bound) : ""; }

std::string text_of(const AxisRanges& ranges) {
  std::string text;
  for (const AxisRange& r : ranges) {
    text += text.empty() ? "" : ", ";
    text += r.is_index ? bound_text(r.begin) : fmt::format("{}:{}", bound_text(r.begin), bound_text(r.end));
    if (r.step != 1) text += fmt::format(":{}", r.step);
  }
  return "[" + text + "]";
}

// What is taken of a tensor of shape `whole`, as a box between it and a tensor of just these elements.
Box box_of(const AxisRanges& ranges, const Shape& whole, const Shape& part, bool part_is_target) {
  const auto outer = row_major_strides(whole), inner = row_major_strides(part);
  Box box;
  std::int64_t& start = part_is_target ? box.from : box.to;
  for (int axis = 0; axis < whole.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const Resolved range = resolve(ranges[a], whole[axis]).value_or(Resolved{0, 0, 1});
    start += range.begin * outer[a];
    const std::int64_t stride = range.step * outer[a];
    box.add(range.count, part_is_target ? stride : inner[a], part_is_target ? inner[a] : stride);
  }
  return box;
}

// The same elements by a slice, where all is known and no step is taken; else no expression.
Expr as_slice(const Operand& x, const AxisRanges& ranges) {
  const Shape& shape = x.expr().shape();
  if (!shape.known()) return {};
  std::vector<std::int64_t> begin, size;
  for (std::size_t axis = 0; axis < ranges.size(); ++axis) {
    const auto range = resolve(ranges[axis], shape[static_cast<int>(axis)]);
    if (!range || range->step != 1) return {};
    begin.push_back(range->begin);
    size.push_back(range->count);
  }
  return slice(x, begin, size);
}

class StridedSlice final : public Op {
 public:
  StridedSlice(std::string_view reader, AxisRanges ranges) : reader_(reader), ranges_(std::move(ranges)) {}

  std::string_view name() const override { return "strided_slice"; }
  Attributes attributes() const override { return {{"", text_of(ranges_)}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(reader_, in);
    Shape shape = in[0].shape;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const AxisRange& range = ranges_[static_cast<std::size_t>(axis)];
      if (shape[axis] == any) {
        if (range.is_index) shape = shape.with(axis, 1);
        continue;
      }
      const auto resolved = resolve(range, shape[axis]);
      if (!resolved) fail<TypeError>("{}: x is {}; axis {} has no index {}", reader_, in.shape(0), axis, *range.begin);
      shape = shape.with(axis, resolved->count);
    }
    return {in[0].dtype, shape, Layout::dense};
  }

  // dx = dy at the elements taken, 0 elsewhere
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return set_into(dy, y.input(0), ranges_); }
  Expr simplified(const Expr& y, const DraftFacts&) const override { return as_slice(y.input(0), ranges_); }

  void compute(Call& call) const override { copy(call); }
  void launch(DeviceCall& call) const override { copy(call); }

 private:
  template <class AnyCall>  // Call or DeviceCall
  void copy(AnyCall& call) const {
    const Box box = box_of(ranges_, call.in(0).shape(), call.out().shape(), true);
    copy_box(call, box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
  }

  std::string_view reader_;  // the function that the user called, for messages
  AxisRanges ranges_;
};

// Inputs: the part, and the whole, which lends its shape.
class SetInto final : public Op {
 public:
  explicit SetInto(AxisRanges ranges) : ranges_(std::move(ranges)) {}

  std::string_view name() const override { return "set_into"; }
  Attributes attributes() const override { return {{"", text_of(ranges_)}}; }
  Traits traits() const override { return {.reads = 0b1U}; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[1].shape, Layout::dense}; }

  // d part = what stands in its place
  Expr gradient(const Expr&, const Expr& dy, int) const override {
    return apply(std::make_shared<StridedSlice>(name(), ranges_), {dy});
  }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its shape is used" : ""; }

  void compute(Call& call) const override {
    dispatch(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      call.workers().for_each(call.out().shape().size(), 65536, [&](std::int64_t first, std::int64_t last) {
        std::fill(call.out<T>() + first, call.out<T>() + last, T{});
      });
    });
    copy(call);
  }
  void launch(DeviceCall& call) const override {
    fill(call, call.out().data, call.out().type.dtype, call.out().shape().size(), 0);
    copy(call);
  }

 private:
  template <class AnyCall>
  void copy(AnyCall& call) const {
    const Box box = box_of(ranges_, call.out().shape(), call.in(0).shape(), false);
    copy_box(call, box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
  }

  AxisRanges ranges_;
};

Expr take(std::string_view reader, const Operand& x, const AxisRanges& ranges) {
  for (const AxisRange& range : ranges)
    if (range.step == 0) fail<ValueError>("{}: x is {}; a step of 0 leads nowhere", reader, to_string(x.expr()));
  const Expr sliced = as_slice(x, ranges);
  return sliced.valid() ? sliced : apply(std::make_shared<StridedSlice>(reader, ranges), {x});
}

}  // namespace

Expr set_into(const Expr& dy, const Expr& x, const AxisRanges& ranges) {
  return apply(std::make_shared<SetInto>(ranges), {dy, x});
}

Expr at(const Operand& x, const std::vector<Slice>& slices) {
  const Expr expr = require_expr("at", x);
  const Given given({expr});
  require_dense("at", *given);
  const auto count = [&](Slice::Kind kind) { return std::ranges::count(slices, kind, &Slice::kind); };
  const auto named = static_cast<int>(count(Slice::Kind::index) + count(Slice::Kind::range));
  if (named > expr.rank())
    fail<TypeError>("at: {} axes are named; x is {} with {}", named, (*given).shape(0), expr.rank());
  if (count(Slice::Kind::ellipsis) > 1)
    fail<TypeError>("at: ellipsis is given twice; once is right, x is {}", (*given).shape(0));
  AxisRanges ranges;
  std::vector<int> dropped, added;  // axes of what is taken; of the result
  int axis = 0;                     // of the result
  const auto all_axes_until = [&](std::size_t end) {
    for (; ranges.size() < end; ++axis) ranges.emplace_back();
  };
  std::size_t left = static_cast<std::size_t>(named);  // of the axes that are named
  for (const Slice& s : slices) {
    switch (s.kind) {
      case Slice::Kind::ellipsis: all_axes_until(static_cast<std::size_t>(expr.rank()) - left); continue;
      case Slice::Kind::new_axis: added.push_back(axis++); continue;
      case Slice::Kind::index: dropped.push_back(static_cast<int>(ranges.size())); break;
      case Slice::Kind::range: ++axis; break;
    }
    ranges.push_back({s.begin, s.end, s.step, s.kind == Slice::Kind::index});
    --left;
  }
  all_axes_until(static_cast<std::size_t>(expr.rank()));
  const Graph::Pin pin = expr.graph().pin(x.where());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const std::int64_t dim = expr.shape()[static_cast<int>(i)];
    if (ranges[i].is_index && dim != any && !resolve(ranges[i], dim))
      fail<TypeError>("at: x is {}; axis {} has no index {}", (*given).shape(0), i, *ranges[i].begin);
  }
  Expr y = take("at", x, ranges);
  if (!dropped.empty()) y = squeeze(y, Axes(dropped));
  for (const int place : added) y = expand_dims(y, place);
  return y;
}

Expr strided_slice(const Operand& x, const std::vector<std::int64_t>& begin, const std::vector<std::int64_t>& end,
                   const std::vector<std::int64_t>& strides) {
  const Expr expr = require_expr("strided_slice", x);
  const Given given({expr});
  require_dense("strided_slice", *given);
  const auto rank = static_cast<std::size_t>(expr.rank());
  if (begin.size() != end.size() || begin.size() > rank || (!strides.empty() && strides.size() != begin.size()))
    fail<TypeError>("strided_slice: begin [{}], end [{}] and strides [{}] name {}, {} and {} axes; x is {} with {}",
                    listed(begin), listed(end), listed(strides), begin.size(), end.size(), strides.size(),
                    (*given).shape(0), rank);
  AxisRanges ranges(rank);
  for (std::size_t i = 0; i < begin.size(); ++i) ranges[i] = {begin[i], end[i], strides.empty() ? 1 : strides[i]};
  return take("strided_slice", x, ranges);
}

std::vector<Expr> unstack(const Operand& x, std::int64_t num, int axis) {
  const Expr expr = require_expr("unstack", x);
  const Given given({expr});
  require_dense("unstack", *given);
  const int place = resolve_axis("unstack", axis, *given);
  const std::int64_t dim = expr.shape()[place];
  if (dim == any)
    fail<TypeError>("unstack: x is {}; axis {} must be known when the graph is built", (*given).shape(0), place);
  if (num != any && num != dim)
    fail<TypeError>("unstack: x is {}; axis {} gives {} parts, not {}", (*given).shape(0), place, dim, num);
  const Graph::Pin pin = expr.graph().pin(x.where());
  std::vector<Slice> slices(static_cast<std::size_t>(place), _);
  std::vector<Expr> parts;
  for (std::int64_t i = 0; i < dim; ++i) {
    slices.resize(static_cast<std::size_t>(place), _);
    slices.emplace_back(i);
    parts.push_back(at(expr, slices));
  }
  return parts;
}

Expr reverse(const Operand& x, const Axes& axes) {
  const Expr expr = require_expr("reverse", x);
  require_dense("reverse", *Given({expr}));
  AxisRanges ranges(static_cast<std::size_t>(expr.rank()));
  for (const int axis : axes.resolve("reverse", expr.rank())) ranges[static_cast<std::size_t>(axis)].step = -1;
  return take("reverse", x, ranges);
}

Expr roll(const Operand& x, std::int64_t shift, int axis) {
  const Expr expr = require_expr("roll", x);
  const Given given({expr});
  require_dense("roll", *given);
  const int place = resolve_axis("roll", axis, *given);
  const Graph::Pin pin = expr.graph().pin(x.where());
  const std::int64_t n = expr.shape()[place];
  if (n == any) {
    // Element i comes from place i - shift, counted round the axis.
    const Expr to = positions(expr, place), size = maximum(size_of(to), 1);
    return gather(expr, mod(to - mod(shift, size), size), place);
  }
  const std::int64_t moved = n == 0 ? 0 : (shift % n + n) % n;
  if (moved == 0) return identity(expr);
  std::vector<Slice> slices(static_cast<std::size_t>(place) + 1, _);
  slices.back() = Slice(n - moved, _);
  const Expr last = at(expr, slices);
  slices.back() = Slice(0, n - moved);
  return concat({last, at(expr, slices)}, place, x.where());
}

}  // namespace gradus
